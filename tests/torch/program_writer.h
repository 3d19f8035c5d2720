#pragma once
// Programs written by hand, instruction by instruction, in archives that LibTorch's own writer makes.

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include <string>
#include <utility>
#include <vector>

namespace lingua::testing {

using Records = std::vector<std::pair<std::string, std::string>>;

inline c10::IValue tuple(std::vector<c10::IValue> parts) {
  return c10::ivalue::Tuple::create(std::move(parts));
}
inline c10::IValue text(const std::string& value) { return value; }
inline c10::IValue pair(const std::string& name, c10::IValue value) {
  return tuple({text(name), std::move(value)});
}

inline std::string pickled(const c10::IValue& value) {
  const std::vector<char> bytes = torch::jit::pickle(value);
  return {bytes.begin(), bytes.end()};
}

// An archive as LibTorch's own writer makes it.
inline std::string archive_of(const Records& records) {
  std::string bytes;
  caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, std::size_t size) {
    bytes.append(static_cast<const char*>(data), size);
    return size;
  });
  for (const auto& [name, contents] : records)
    writer.writeRecord(name, contents.data(), contents.size());
  writer.writeEndOfFile();
  return bytes;
}

struct WrittenInstruction {
  const char* name;
  std::int64_t x = 0;
  std::int64_t n = 0;
};

// A function of two operands beside the module, whose text a test changes.
struct WrittenFunction {
  std::string name = "__torch__.Segment.forward";
  std::vector<WrittenInstruction> instructions = {
      {"STOREN", 1, 3}, {"DROPR", 1},           {"MOVE", 2}, {"MOVE", 3}, {"LOADC", 0},
      {"OP", 0},        {"TUPLE_CONSTRUCT", 1}, {"RET"}};
  std::vector<c10::IValue> operators = {tuple({text("aten::add"), text("Tensor"), 3})};
  std::vector<c10::IValue> constants = {1};
  std::vector<c10::IValue> types = {text("List[int]")};
  std::int64_t registers = 3;
  std::vector<std::string> argument_types = {"__torch__.Segment", "Tensor", "Tensor"};
};

inline c10::IValue bytecode_of(const WrittenFunction& function, std::int64_t version = 8) {
  std::vector<c10::IValue> instructions;
  for (const WrittenInstruction& step : function.instructions)
    instructions.push_back(tuple({text(step.name), step.x, step.n}));
  const auto argument = [](const std::string& name, const std::string& type) {
    return tuple({pair("name", text(name)), pair("type", text(type)), pair("default_value", {})});
  };
  std::vector<c10::IValue> arguments;
  for (const std::string& type : function.argument_types) arguments.push_back(argument("a", type));
  const c10::IValue table = tuple(
      {pair("instructions", tuple(instructions)), pair("operators", tuple(function.operators)),
       pair("constants", tuple(function.constants)), pair("types", tuple(function.types)),
       pair("register_size", function.registers)});
  const c10::IValue schema = tuple({pair("arguments", tuple(arguments)),
                                    pair("returns", tuple({argument("", "Tuple[Tensor]")}))});
  return tuple({version, tuple({text(function.name), table, schema})});
}

// What LibTorch writes for an object without attributes.
inline const std::string kEmptyObject(
    "\x80\x02"
    "c__torch__\nSegment\nq\x00)\x81}(ubq\x01.",
    32);

inline Records records_of(const WrittenFunction& function) {
  return {{"data.pkl", kEmptyObject},
          {"constants.pkl", pickled(tuple({}))},
          {"bytecode.pkl", pickled(bytecode_of(function))}};
}

}  // namespace lingua::testing
