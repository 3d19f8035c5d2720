#include "runtime/torch/joint_run.h"

#include <ATen/ops/cat.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/torch/row_tensors.h"
#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

using torch::jit::Instruction;
using torch::jit::OpCode;
using torch::jit::mobile::Code;
using Stack = std::vector<c10::IValue>;

bool is_known(OpCode code) {
  switch (code) {
    case OpCode::OP:
    case OpCode::OPN:
    case OpCode::LOAD:
    case OpCode::MOVE:
    case OpCode::STORE:
    case OpCode::STOREN:
    case OpCode::DROP:
    case OpCode::DROPR:
    case OpCode::LOADC:
    case OpCode::LIST_CONSTRUCT:
    case OpCode::TUPLE_CONSTRUCT:
    case OpCode::RET: return true;
    default: return false;
  }
}

bool is_row_product(const c10::OperatorName& name) {
  return (name.name == "aten::linear" && name.overload_name.empty()) ||
         name.name == "lingua::linear_int8";
}

std::vector<c10::IValue> take_last(Stack& stack, std::size_t count) {
  const auto from = stack.end() - static_cast<std::ptrdiff_t>(count);
  std::vector<c10::IValue> values(std::make_move_iterator(from),
                                  std::make_move_iterator(stack.end()));
  stack.erase(from, stack.end());
  return values;
}

bool is_same(const c10::IValue& a, const c10::IValue& b) {
  if (!a.isTensor() || !b.isTensor()) return a.isNone() && b.isNone();
  return a.toTensor().is_same(b.toTensor());
}

class JointRun {
 public:
  JointRun(const Code& code, std::vector<JointStep>& steps) : code_(code) {
    for (JointStep& step : steps) {
      if (step.error.empty())
        lanes_.push_back({&step, std::vector<c10::IValue>(code.register_size_)});
    }
  }

  void run() {
    for (const Instruction& instruction : code_.instructions_) {
      if (instruction.op == OpCode::RET) return;
      if (instruction.op == OpCode::OP &&
          is_row_product(code_.op_names_[static_cast<std::size_t>(instruction.X)])) {
        multiply(instruction);
      } else {
        for_each_lane([&](Lane& lane) { run(instruction, lane); });
      }
    }
  }

 private:
  struct Lane {
    JointStep* step;
    std::vector<c10::IValue> registers;

    Stack& stack() { return step->stack; }
    c10::IValue& at(int number) {  // the last one is number 1
      return registers[registers.size() - static_cast<std::size_t>(number)];
    }
  };

  template <class Do>
  void for_each_lane(const Do& act) {
    bool failed = false;
    for (Lane& lane : lanes_) {
      try {
        act(lane);
      } catch (const Error&) {
        throw;
      } catch (const std::exception& error) {
        lane.step->error = first_line(error);
        failed = true;
      }
    }
    if (failed) std::erase_if(lanes_, [](const Lane& lane) { return !lane.step->error.empty(); });
  }

  void call(const Instruction& instruction, Stack& stack) const {
    code_.operators_[static_cast<std::size_t>(instruction.X)](stack);
  }

  void run(const Instruction& instruction, Lane& lane) const {
    Stack& stack = lane.stack();
    const int x = instruction.X;
    switch (instruction.op) {
      case OpCode::OPN:
        stack.emplace_back(static_cast<std::int64_t>(instruction.N));
        [[fallthrough]];
      case OpCode::OP: call(instruction, stack); return;
      case OpCode::LOAD: stack.push_back(lane.at(x)); return;
      case OpCode::MOVE: stack.push_back(std::move(lane.at(x))); return;
      case OpCode::STORE:
        lane.at(x) = std::move(stack.back());
        stack.pop_back();
        return;
      case OpCode::STOREN:
        for (int i = instruction.N; i-- > 0;) {
          lane.at(x + i) = std::move(stack.back());
          stack.pop_back();
        }
        return;
      case OpCode::DROP: stack.pop_back(); return;
      case OpCode::DROPR: lane.at(x) = c10::IValue(); return;
      case OpCode::LOADC: stack.push_back(code_.constants_[static_cast<std::size_t>(x)]); return;
      case OpCode::LIST_CONSTRUCT: {
        const auto& type = *code_.types_[static_cast<std::size_t>(x)];
        c10::impl::GenericList list(type.containedType(0));
        for (c10::IValue& value : take_last(stack, instruction.N)) list.push_back(std::move(value));
        stack.emplace_back(std::move(list));
        return;
      }
      case OpCode::TUPLE_CONSTRUCT:
        stack.emplace_back(
            c10::ivalue::Tuple::create(take_last(stack, static_cast<std::size_t>(x))));
        return;
      default: LINGUA_CHECK(false, "instruction {}", static_cast<int>(instruction.op));
    }
  }

  // x, weight and, where it was written, bias: the last operands.
  std::size_t operands(const Instruction& instruction) const {
    constexpr int kAll = 3;
    const int given = code_.operator_input_sizes_[static_cast<std::size_t>(instruction.X)];
    return static_cast<std::size_t>(given < 0 ? kAll : given);
  }

  // The rows of all, as far as the kernels keep each of them apart.
  bool can_join(std::size_t count) {
    if (lanes_.size() < 2 || count < 2) return false;
    const auto operand = [&](Lane& lane, std::size_t i) -> const c10::IValue& {
      return lane.stack()[lane.stack().size() - count + i];
    };
    const c10::IValue& first = operand(lanes_.front(), 0);
    return std::all_of(lanes_.begin(), lanes_.end(), [&](Lane& lane) {
      const c10::IValue& x = operand(lane, 0);
      if (!x.isTensor() || x.toTensor().dim() != 2 || x.toTensor().size(0) < 1) return false;
      if (!is_activation(x.toTensor().scalar_type()) ||
          x.toTensor().scalar_type() != first.toTensor().scalar_type()) {
        return false;
      }
      for (std::size_t i = 1; i < count; ++i) {
        if (!is_same(operand(lane, i), operand(lanes_.front(), i))) return false;
      }
      return true;
    });
  }

  void multiply(const Instruction& instruction) {
    const std::size_t count = operands(instruction);
    if (!can_join(count) || !multiply_jointly(instruction, count))
      for_each_lane([&](Lane& lane) { call(instruction, lane.stack()); });
  }

  // False where it cannot be done: then nothing has changed, and each is to be told why.
  bool multiply_jointly(const Instruction& instruction, std::size_t count) {
    Stack operands;
    std::vector<at::Tensor> rows;
    for (Lane& lane : lanes_) rows.push_back(lane.stack()[lane.stack().size() - count].toTensor());
    at::Tensor result;
    try {
      operands.emplace_back(at::cat(rows));
      const Stack& stack = lanes_.front().stack();
      operands.insert(operands.end(), stack.end() - static_cast<std::ptrdiff_t>(count) + 1,
                      stack.end());
      call(instruction, operands);
      result = operands.back().toTensor();
    } catch (const std::exception&) {
      return false;
    }
    std::int64_t from = 0;
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      Stack& stack = lanes_[i].stack();
      stack.resize(stack.size() - count);
      stack.emplace_back(result.narrow(0, from, rows[i].size(0)));
      from += rows[i].size(0);
    }
    return true;
  }

  const Code& code_;
  std::vector<Lane> lanes_;  // of the steps that have not failed
};

}  // namespace

bool can_run_jointly(const torch::jit::mobile::Function& program) {
  const auto& instructions = program.get_code().instructions_;
  return !instructions.empty() && instructions.back().op == OpCode::RET &&
         std::all_of(instructions.begin(), instructions.end(),
                     [](const Instruction& instruction) { return is_known(instruction.op); });
}

void run_jointly(torch::jit::mobile::Function& program, std::vector<JointStep>& steps) {
  program.initialize_operators(true);
  JointRun(program.get_code(), steps).run();
}

}  // namespace lingua
