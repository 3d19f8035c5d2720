#include "runtime/torch/pickled_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

using Kind = PickleNode::Kind;

constexpr std::string_view kForeignClass = "torch.classes";  // written in C++, not in the archive

[[noreturn]] void fail(const std::string& why) { throw InputError(why); }

// Bytes of one number of a storage; nothing for what is no storage.
std::uint64_t number_bytes(const std::string& storage) {
  static const std::map<std::string, std::uint64_t> kBytes = {
      {"torch FloatStorage", 4},          {"torch DoubleStorage", 8},
      {"torch HalfStorage", 2},           {"torch BFloat16Storage", 2},
      {"torch LongStorage", 8},           {"torch IntStorage", 4},
      {"torch ShortStorage", 2},          {"torch CharStorage", 1},
      {"torch ByteStorage", 1},           {"torch BoolStorage", 1},
      {"torch ComplexFloatStorage", 8},   {"torch QInt8Storage", 1},
      {"torch ComplexDoubleStorage", 16}, {"torch QUInt8Storage", 1},
      {"torch QInt32Storage", 4}};
  const auto found = kBytes.find(storage);
  return found == kBytes.end() ? 0 : found->second;
}

// The kind of the elements of the list that such a call makes.
const std::map<std::string, std::set<Kind>>& list_makers() {
  static const std::map<std::string, std::set<Kind>> kMakers = {
      {"torch.jit._pickle build_intlist", {Kind::kInt}},
      {"torch.jit._pickle build_doublelist", {Kind::kFloat}},
      {"torch.jit._pickle build_boollist", {Kind::kBool}},
      {"torch.jit._pickle build_tensorlist", {Kind::kCall}}};
  return kMakers;
}

class ValueCheck {
 public:
  ValueCheck(const TorchArchive& archive, std::string_view folder, bool with_objects)
      : archive_(archive), folder_(folder), with_objects_(with_objects) {}

  // Each node is looked at by itself, however often and from where it is meant.
  void run(const Pickle& pickle) const {
    for (const auto& node : pickle.nodes()) {
      if (node->is(Kind::kGlobal)) check_global(node->text);
      if (node->is(Kind::kObject)) check_object(*node);
      if (node->is(Kind::kCall)) check_call(node->children[0]->text, *node->children[1]);
      if (node->is(Kind::kPersistent)) storage_numbers(*node);
    }
  }

 private:
  using Values = std::vector<const PickleNode*>;

  [[noreturn]] static void refuse(std::string what) {
    std::replace(what.begin(), what.end(), ' ', '.');  // module and name
    const bool is_foreign = what.find(kForeignClass) != std::string::npos;
    fail(fmt::format(
        "it holds {}, which is not supported; accepted are tensors, numbers, text and "
        "containers of them{}",
        one_line(what),
        is_foreign ? " (a model quantised by PyTorch has others: save it before it is quantised)"
                   : ""));
  }
  [[noreturn]] static void damaged(std::string_view what) {
    fail(fmt::format("its pickle is damaged: {}", what));
  }

  bool is_own_class(const std::string& global) const {
    return with_objects_ && global.starts_with("__torch__") &&
           global.find(kForeignClass) == std::string::npos;
  }

  void check_global(const std::string& name) const {
    static const std::set<std::string> kKnown = {"torch._utils _rebuild_tensor_v2",
                                                 "collections OrderedDict", "torch device",
                                                 "builtins complex"};
    static const std::set<std::string> kInFiles = {
        "torch._utils _rebuild_qtensor", "torch.jit._pickle restore_type_tag",
        "torch per_tensor_affine", "torch per_channel_affine"};
    const bool known = kKnown.contains(name) || number_bytes(name) > 0 ||
                       list_makers().contains(name) || (with_objects_ && kInFiles.contains(name)) ||
                       is_own_class(name);
    if (!known) refuse(name);
  }

  void check_object(const PickleNode& object) const {
    if (!is_own_class(object.children[0]->text)) refuse(object.children[0]->text);
    if (!object.children[1]->children.empty()) damaged("an object is made from arguments");
  }

  void check_call(const std::string& function, const PickleNode& operand) const {
    const bool is_number = operand.is(Kind::kInt) || operand.is(Kind::kFloat);
    if (is_own_class(function) && (is_number || operand.is(Kind::kText))) return;  // of an Enum
    if (!operand.is(Kind::kTuple)) damaged("a call has no arguments");
    const Values& arguments = operand.children;
    if (function == "torch._utils _rebuild_tensor_v2" ||
        function == "torch._utils _rebuild_qtensor") {
      check_tensor(arguments);
    } else if (const auto maker = list_makers().find(function); maker != list_makers().end()) {
      if (arguments.size() != 1 || !arguments[0]->is(Kind::kList))
        damaged("a list is made of none");
      for (const PickleNode* element : arguments[0]->children) {
        if (!maker->second.contains(element->kind))
          damaged("a list has elements of another kind than it says");
      }
    } else if (function == "collections OrderedDict") {
      if (!arguments.empty()) damaged("a dictionary is made from arguments");
    } else if (function == "torch device") {
      if (arguments.size() != 1 || !arguments[0]->is(Kind::kText)) damaged("a device has no name");
    } else if (function == "builtins complex") {
      if (arguments.size() != 2 || !arguments[0]->is(Kind::kFloat) ||
          !arguments[1]->is(Kind::kFloat)) {
        damaged("a complex number has no two parts");
      }
    } else if (function == "torch.jit._pickle restore_type_tag") {
      if (arguments.size() != 2 || !arguments[1]->is(Kind::kText)) damaged("a type has no name");
      if (arguments[1]->text.find(kForeignClass) != std::string::npos) refuse(arguments[1]->text);
    } else {
      refuse(function);
    }
  }

  // Numbers of the storage that a tensor lies in, as far as its record has them.
  std::uint64_t storage_numbers(const PickleNode& reference) const {
    const Values& parts = reference.children[0]->children;
    if (!reference.children[0]->is(Kind::kTuple) || parts.size() < 5 ||
        !parts[0]->is(Kind::kText) || parts[0]->text != "storage" || !parts[1]->is(Kind::kGlobal) ||
        !parts[2]->is(Kind::kText) || !parts[4]->is(Kind::kInt)) {
      damaged("a tensor lies in no storage");
    }
    const std::uint64_t each = number_bytes(parts[1]->text);
    if (each == 0) damaged("a storage has no type");
    const std::string name = std::string(folder_) + parts[2]->text;
    const auto record = archive_.records().find(name);
    if (record == archive_.records().end())
      fail(fmt::format("it has no record '{}'", one_line(name)));
    const std::int64_t numbers = parts[4]->number;
    if (record->second.is_packed || numbers < 0 ||
        static_cast<std::uint64_t>(numbers) > record->second.bytes / each) {
      fail(fmt::format("its record '{}' has fewer numbers than its pickle says", one_line(name)));
    }
    return static_cast<std::uint64_t>(numbers);
  }

  void check_tensor(const Values& arguments) const {
    if (arguments.size() < 4 || !arguments[0]->is(Kind::kPersistent) ||
        !arguments[1]->is(Kind::kInt) || !arguments[2]->is(Kind::kTuple) ||
        !arguments[3]->is(Kind::kTuple)) {
      damaged("a tensor is made of something else");
    }
    const Values& sizes = arguments[2]->children;
    const Values& strides = arguments[3]->children;
    const double numbers = static_cast<double>(storage_numbers(*arguments[0]));
    constexpr std::size_t kMostDimensions = 64;
    if (sizes.size() != strides.size() || sizes.size() > kMostDimensions)
      damaged("a tensor has no shape");
    double last = static_cast<double>(arguments[1]->number);
    bool is_empty = false;
    bool is_possible = last >= 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      if (!sizes[i]->is(Kind::kInt) || !strides[i]->is(Kind::kInt))
        damaged("a tensor has no shape");
      is_possible = is_possible && sizes[i]->number >= 0 && strides[i]->number >= 0;
      is_empty = is_empty || sizes[i]->number == 0;
      last += (static_cast<double>(sizes[i]->number) - 1) * static_cast<double>(strides[i]->number);
    }
    if (!is_possible || (!is_empty && last >= numbers))
      damaged("a tensor reaches out of its storage");
  }

  const TorchArchive& archive_;
  const std::string_view folder_;
  const bool with_objects_;
};

}  // namespace

void check_values(const Pickle& pickle, const TorchArchive& archive, std::string_view folder,
                  bool with_objects) {
  ValueCheck(archive, folder, with_objects).run(pickle);
}

}  // namespace lingua
