#include "runtime/torch/bytecode_check.h"

#include <fmt/format.h>

#include <cctype>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/torch/allowed_operations.h"

namespace lingua {
namespace {

using Kind = PickleNode::Kind;
using Nodes = std::vector<const PickleNode*>;

constexpr std::int64_t kVersion = 8;  // of the format
constexpr std::int64_t kMostRegisters = 1 << 20;
constexpr std::int64_t kHighestStack = 1 << 20;
constexpr std::size_t kDeepestType = 16;
constexpr std::size_t kLongestType = 4096;

[[noreturn]] void fail(const std::string& why) {
  throw InputError("its bytecode is damaged: " + why);
}

const Nodes& tuple(const PickleNode& node, const char* what) {
  if (!node.is(Kind::kTuple)) fail(fmt::format("{} is no tuple", what));
  return node.children;
}
const Nodes& tuple(const PickleNode& node, std::size_t size, const char* what) {
  const Nodes& children = tuple(node, what);
  if (children.size() != size) fail(fmt::format("{} has {} parts", what, children.size()));
  return children;
}
const std::string& text(const PickleNode& node, const char* what) {
  if (!node.is(Kind::kText)) fail(fmt::format("{} is no text", what));
  return node.text;
}
std::int64_t number(const PickleNode& node, std::int64_t least, std::int64_t most,
                    const char* what) {
  if (!node.is(Kind::kInt)) fail(fmt::format("{} is no number", what));
  if (node.number < least || node.number > most) fail(fmt::format("{} is {}", what, node.number));
  return node.number;
}
// The value of the pair ("name", value).
const PickleNode& field(const PickleNode& pair, const char* name) {
  const Nodes& parts = tuple(pair, 2, name);
  if (text(*parts[0], name) != name) fail(fmt::format("it has no {}", name));
  return *parts[1];
}

// "List[Optional[Tensor]]": names that mean no class, and brackets.
void check_type(const std::string& type, bool may_be_self) {
  static const std::set<std::string_view> kNames = {
      "Tensor",   "int",    "float", "bool",       "str",    "complex",     "number",
      "Scalar",   "Device", "None",  "NoneType",   "List",   "Dict",        "Tuple",
      "Optional", "Union",  "Any",   "ScalarType", "Layout", "MemoryFormat"};
  if (may_be_self && type == "__torch__.Segment") return;
  const auto refuse = [&] {
    throw InputError(
        fmt::format("it has values of type {}, which programs have not", one_line(type, 80)));
  };
  std::size_t depth = 0;
  if (type.size() > kLongestType) refuse();
  for (std::size_t at = 0; at < type.size();) {
    std::size_t end = at;
    while (end < type.size() && (std::isalnum(static_cast<unsigned char>(type[end])) != 0 ||
                                 type[end] == '_' || type[end] == '.')) {
      ++end;
    }
    if (end > at) {
      if (!kNames.contains(std::string_view(type).substr(at, end - at))) refuse();
      at = end;
      continue;
    }
    if (type[at] == '[') ++depth;
    if (type[at] == ']' && depth-- == 0) refuse();
    if (depth > kDeepestType || std::string_view("[], ()").find(type[at]) == std::string_view::npos)
      refuse();
    ++at;
  }
  if (type.empty() || depth != 0) refuse();
}

// What an instruction takes from the stack and puts on it.
struct Effect {
  std::int64_t takes = 0;
  std::int64_t gives = 0;
};

struct Instruction {
  std::string name;
  std::int64_t x = 0;
  std::int64_t n = 0;
};

// Operations that the exporter writes as instructions.
const std::map<std::string, Effect>& fixed_effects() {
  static const std::map<std::string, Effect> kEffects = {
      {"DEVICE", {1, 1}},         {"DICT_INDEX", {2, 1}},  {"DIM", {1, 1}},
      {"DTYPE", {1, 1}},          {"IS_CUDA", {1, 1}},     {"NUM_TO_TENSOR", {1, 1}},
      {"TO_LIST", {3, 1}},        {"TUPLE_INDEX", {2, 1}}, {"UNCHECKED_CAST", {1, 1}},
      {"UN_INITIALIZED", {0, 1}}, {"__IS__", {2, 1}},      {"__ISNOT__", {2, 1}},
      {"__NOT__", {1, 1}}};
  return kEffects;
}

class FunctionCheck {
 public:
  FunctionCheck(const PickleNode& function, const FindOperation& find) : find_(find) {
    const Nodes& parts = tuple(function, 3, "a function");
    if (text(*parts[0], "a name") != "__torch__.Segment.forward") {
      throw InputError(fmt::format("it has a function {}; programs have forward alone",
                                   one_line(parts[0]->text, 80)));
    }
    const Nodes& table = tuple(*parts[1], 5, "its table");
    for (const PickleNode* node : tuple(field(*table[1], "operators"), "operators"))
      take_operator(*node);
    constants_ =
        static_cast<std::int64_t>(tuple(field(*table[2], "constants"), "constants").size());
    for (const PickleNode* node : tuple(field(*table[3], "types"), "types")) {
      check_type(text(*node, "a type"), false);
      ++types_;
    }
    registers_ = number(field(*table[4], "register_size"), 0, kMostRegisters, "register_size");
    for (const PickleNode* node : tuple(field(*table[0], "instructions"), "instructions")) {
      const Nodes& operands = tuple(*node, 3, "an instruction");
      constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
      instructions_.push_back(
          {text(*operands[0], "an instruction"), number(*operands[1], -kMost, kMost, "X"),
           number(*operands[2], 0, std::numeric_limits<std::uint16_t>::max(), "N")});
    }
    const Nodes& schema = tuple(*parts[2], 2, "its schema");
    arguments_ = take_arguments(field(*schema[0], "arguments"));
    take_arguments(field(*schema[1], "returns"));
  }

  // Follows the instructions from the first one, with the height of the stack before each.
  void run() {
    heights_.assign(instructions_.size(), -1);
    visit(0, arguments_);
    while (!open_.empty()) {
      const std::int64_t at = open_.back();
      open_.pop_back();
      follow(at, heights_[static_cast<std::size_t>(at)]);
    }
  }

 private:
  static std::int64_t take_arguments(const PickleNode& all) {
    for (const PickleNode* argument : tuple(all, "its schema")) {
      const Nodes& parts = tuple(*argument, 3, "an argument");
      text(field(*parts[0], "name"), "a name");
      check_type(text(field(*parts[1], "type"), "a type"), true);
      field(*parts[2], "default_value");
    }
    return static_cast<std::int64_t>(all.children.size());
  }

  void take_operator(const PickleNode& node) {
    const Nodes& parts = tuple(node, "an operator");
    if (parts.size() < 2 || parts.size() > 3) fail("an operator has no name");
    const std::string& name = text(*parts[0], "a name");
    const std::string& overload = text(*parts[1], "a name");
    if (!is_allowed_operation(name)) {
      throw InputError(fmt::format("it uses {}, which programs may not", one_line(name, 80)));
    }
    const std::optional<OperationShape> found = find_(name, overload);
    if (!found) {
      throw InputError(fmt::format("it uses {}{}{}, which LibTorch does not have here", name,
                                   overload.empty() ? "" : ".", one_line(overload, 80)));
    }
    OperationShape known = *found;
    if (parts.size() == 3)
      known.takes = number(*parts[2], 0, found->takes, "a number of arguments");
    operators_.push_back(known);
  }

  static std::int64_t in_range(std::int64_t value, std::int64_t least, std::int64_t end,
                               const char* what) {
    if (value < least || value >= end) fail(fmt::format("there is no {} {}", what, value));
    return value;
  }
  std::int64_t of_register(std::int64_t first, std::int64_t count) const {
    in_range(first, 1, registers_ + 1, "register");
    return in_range(first + count - 1, first, registers_ + 1, "register");
  }

  Effect effect(const Instruction& in) const {
    const std::string& name = in.name;
    if (name == "OP" || name == "OPN") {
      const OperationShape& known = operators_[static_cast<std::size_t>(
          in_range(in.x, 0, static_cast<std::int64_t>(operators_.size()), "operator"))];
      if (known.takes_any != (name == "OPN")) {
        fail("an operator is called in another way than it is written");
      }
      return {known.takes_any ? in.n : known.takes, known.gives};
    }
    if (name == "LOAD" || name == "MOVE") return of_register(in.x, 1), Effect{0, 1};
    if (name == "STORE") return of_register(in.x, 1), Effect{1, 0};
    if (name == "STOREN") return of_register(in.x, in.n), Effect{in.n, 0};
    if (name == "DROPR") return of_register(in.x, 1), Effect{};
    if (name == "DROP") return {1, 0};
    if (name == "LOADC") return in_range(in.x, 0, constants_, "constant"), Effect{0, 1};
    if (name == "LIST_CONSTRUCT" || name == "DICT_CONSTRUCT") {
      in_range(in.x, 0, types_, "type");
      if (name == "DICT_CONSTRUCT" && in.n % 2 != 0) fail("a key has no value");
      return {in.n, 1};
    }
    if (name == "ISINSTANCE") {
      in_range(in.x, 0, types_, "type");
      return in_range(in.x + in.n, in.x, types_ + 1, "type"), Effect{1, 1};
    }
    if (name == "FORMAT") return {in_range(in.x, 1, kHighestStack, "format"), 1};
    if (const auto fixed = fixed_effects().find(name); fixed != fixed_effects().end()) {
      return fixed->second;
    }
    if (name == "LIST_UNPACK") return {1, in_range(in.x, 0, kHighestStack, "list")};
    if (name == "TUPLE_CONSTRUCT") return {in_range(in.x, 0, kHighestStack, "tuple"), 1};
    throw InputError(
        fmt::format("it has an instruction {}, which programs have not", one_line(name, 80)));
  }

  void visit(std::int64_t at, std::int64_t height) {
    in_range(at, 0, static_cast<std::int64_t>(instructions_.size()), "instruction");
    std::int64_t& known = heights_[static_cast<std::size_t>(at)];
    if (known == height) return;
    if (known >= 0)
      fail(fmt::format("instruction {} is reached with two heights of the stack", at));
    known = height;
    open_.push_back(at);
  }

  void follow(std::int64_t at, std::int64_t height) {
    const Instruction& in = instructions_[static_cast<std::size_t>(at)];
    const auto need = [&](std::int64_t count) {
      if (height < count)
        fail(fmt::format("instruction {} ({}) takes more than there is", at, in.name));
    };
    if (in.name == "RET") {
      if (height != 1) fail(fmt::format("it ends with {} values", height));
    } else if (in.name == "RAISE_EXCEPTION") {
      need(2);  // its text and its class; nothing follows
    } else if (in.name == "JMP") {
      visit(at + in.x, height);
    } else if (in.name == "JF") {
      need(1);
      visit(at + 1, height - 1);
      visit(at + in.x, height - 1);
    } else if (in.name == "LOOP") {  // number of rounds, limit, condition, what is carried
      if (in.n < 2) fail("a loop has no condition");
      need(in.n + 1);
      visit(at + 1, height);
      visit(at + in.x, height - 3);
    } else {
      const Effect change = effect(in);
      need(change.takes);
      const std::int64_t after = height - change.takes + change.gives;
      if (after > kHighestStack) fail("it fills the stack");
      visit(at + 1, after);
    }
  }

  const FindOperation& find_;
  std::vector<OperationShape> operators_;
  std::vector<Instruction> instructions_;
  std::int64_t constants_ = 0;
  std::int64_t types_ = 0;
  std::int64_t registers_ = 0;
  std::int64_t arguments_ = 0;
  std::vector<std::int64_t> heights_;  // -1: not reached
  std::vector<std::int64_t> open_;
};

}  // namespace

void check_bytecode(const PickleNode& root, const FindOperation& find) {
  const Nodes& parts = tuple(root, 2, "it");
  number(*parts[0], kVersion, kVersion, "its version");
  FunctionCheck(*parts[1], find).run();
}

}  // namespace lingua
