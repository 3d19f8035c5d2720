#include "runtime/torch/script_arguments.h"

#include <fmt/ostream.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr const char* kTensorFormat = "NAME=DIMxDIMx...:DTYPE, as in tokens=1xn:int64";
constexpr std::int64_t kLargestDim = 1 << 24;
constexpr double kLargestBytes = 1e10;  // at one token

struct Given {
  std::string text;
  std::string name;
  std::string what;  // after the =
};

[[noreturn]] void refuse(const std::string& text, const std::string& why,
                         const std::string& format = kTensorFormat) {
  throw UsageError(fmt::format("input '{}': {}; write {}", text, why, format));
}

std::vector<Given> read_names(const std::vector<std::string>& inputs) {
  std::vector<Given> all;
  for (const std::string& text : inputs) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) refuse(text, "it names no argument");
    Given given{text, text.substr(0, equals), text.substr(equals + 1)};
    if (std::any_of(all.begin(), all.end(), [&](const Given& g) { return g.name == given.name; })) {
      throw UsageError(
          fmt::format("input '{}': {} is described twice; write it once", text, given.name));
    }
    all.push_back(std::move(given));
  }
  return all;
}

StepFunction parse_dim(const std::string& text, std::string_view dim) {
  if (dim == "n") return StepFunction({0, 1, 0, 0, 0, 0});
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(dim.data(), dim.data() + dim.size(), number);
  if (error != std::errc() || end != dim.data() + dim.size() || number < 1 ||
      number > kLargestDim) {
    refuse(text,
           fmt::format("dimension '{}' is neither n nor a number of 1 to {}", dim, kLargestDim));
  }
  return static_cast<double>(number);
}

// DIMxDIM:DTYPE; nothing before the colon is a tensor of no dimensions.
ForwardArgument parse_tensor(const std::string& text, const std::string& name,
                             const std::string& what) {
  const auto colon = what.rfind(':');
  if (colon == std::string::npos) refuse(text, "it names no dtype");
  ForwardArgument argument;
  argument.name = name;
  argument.dtype = parse_dtype(what.substr(colon + 1));
  std::string_view dims(what.data(), colon);
  double bytes = static_cast<double>(dtype_bytes(argument.dtype));
  while (!dims.empty()) {
    const auto cross = dims.find('x');
    argument.dims.push_back(parse_dim(text, dims.substr(0, cross)));
    bytes *= argument.dims.back().at({1, 0});
    if (cross == std::string_view::npos) break;
    dims.remove_prefix(cross + 1);
    if (dims.empty()) refuse(text, "a dimension is missing");
  }
  if (bytes > kLargestBytes) {
    throw UsageError(fmt::format("input '{}': has {:.3g} bytes; an input has at most {:.0e}", text,
                                 bytes, kLargestBytes));
  }
  return argument;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0;;) {
    const auto comma = text.find(',', at);
    parts.push_back(text.substr(at, comma - at));
    if (comma == std::string::npos) return parts;
    at = comma + 1;
  }
}

template <typename Number>
std::optional<Number> parse_number(const std::string& text) {
  Number number{};
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (text.empty() || error != std::errc() || end != last) return std::nullopt;
  return number;
}

// Nothing when the text is no value of the type.
std::optional<c10::IValue> parse_value(const c10::Type& type, const std::string& text) {
  switch (type.kind()) {
    case c10::TypeKind::IntType:
      if (const auto number = parse_number<std::int64_t>(text)) return c10::IValue(*number);
      return std::nullopt;
    case c10::TypeKind::FloatType:
      if (const auto number = parse_number<double>(text)) return c10::IValue(*number);
      return std::nullopt;
    case c10::TypeKind::NumberType:
      if (const auto number = parse_number<std::int64_t>(text)) return c10::IValue(*number);
      if (const auto number = parse_number<double>(text)) return c10::IValue(*number);
      return std::nullopt;
    case c10::TypeKind::BoolType:
      if (text == "true" || text == "True") return c10::IValue(true);
      if (text == "false" || text == "False") return c10::IValue(false);
      return std::nullopt;
    case c10::TypeKind::StringType: return c10::IValue(text);
    case c10::TypeKind::ListType: {
      const c10::TypePtr element = type.containedType(0);
      c10::impl::GenericList list(element);
      for (const std::string& part : split(text)) {
        const auto value = parse_value(*element, part);
        if (!value) return std::nullopt;
        list.push_back(*value);
      }
      return c10::IValue(list);
    }
    default: return std::nullopt;
  }
}

bool is_value_type(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::IntType:
    case c10::TypeKind::FloatType:
    case c10::TypeKind::NumberType:
    case c10::TypeKind::BoolType:
    case c10::TypeKind::StringType: return true;
    case c10::TypeKind::ListType:
      return is_value_type(*type.containedType(0)) &&
             type.containedType(0)->kind() != c10::TypeKind::ListType;
    default: return false;
  }
}

// "5:int" and "5" say the same where a number is expected.
std::string without_type(const std::string& what) {
  for (const char* suffix : {":int", ":float", ":bool", ":str"}) {
    if (what.ends_with(suffix)) return what.substr(0, what.rfind(':'));
  }
  return what;
}

ForwardArgument step_argument(const std::string& name) {
  ForwardArgument argument;
  argument.name = name;
  argument.kind = ValueKind::kStep;
  argument.step_scalar = name == "new_tokens" ? StepScalar::kNewTokens : StepScalar::kCachedTokens;
  return argument;
}

class Arguments {
 public:
  Arguments(std::vector<Given> given, ScriptModel* model)
      : given_(std::move(given)), none_given_(given_.empty()), model_(*model) {}

  void add(const c10::Argument& argument) {
    const auto found = std::find_if(given_.begin(), given_.end(),
                                    [&](const Given& g) { return g.name == argument.name(); });
    if (found != given_.end()) {
      add_given(argument, *found);
      given_.erase(found);
    } else if (is_step(argument)) {
      model_.arguments.push_back(step_argument(argument.name()));
    } else if (!argument.default_value()) {
      add_missing(argument);
    }
  }

  void check_all_used(const c10::FunctionSchema& forward) const {
    if (given_.empty()) return;
    throw InputError(fmt::format("{}: forward has no argument {}; it is {}", model_.name,
                                 given_[0].name, fmt::streamed(forward)));
  }

 private:
  static bool is_step(const c10::Argument& argument) {
    return argument.type()->kind() == c10::TypeKind::IntType &&
           (argument.name() == "new_tokens" || argument.name() == "cached_tokens");
  }

  void add_given(const c10::Argument& argument, const Given& given) {
    const auto optional = argument.type()->cast<c10::OptionalType>();
    if (optional && given.what == "none") {
      model_.constants[given.name] = c10::IValue();
      return;
    }
    const c10::TypePtr type = optional ? optional->getElementType() : argument.type();
    if (is_value_type(*type)) {
      auto value = parse_value(*type, without_type(given.what));
      if (!value) {
        refuse(given.text, fmt::format("'{}' is no {}", given.what, type->annotation_str()),
               fmt::format("{}=VALUE", given.name));
      }
      model_.constants[given.name] = std::move(*value);
    } else if (type->kind() == c10::TypeKind::TensorType) {
      model_.arguments.push_back(parse_tensor(given.text, given.name, given.what));
    } else {
      add_several(*type, given);
    }
  }

  void add_several(const c10::Type& type, const Given& given) {
    const int wanted = tensors_in(type);
    if (wanted == 0) refuse_type(given.name, type);
    const auto parts = split(given.what);
    if (wanted > 0 && static_cast<int>(parts.size()) != wanted) {
      throw UsageError(fmt::format("input '{}': describes {} tensors; {} is {}, which has {}",
                                   given.text, parts.size(), given.name, type.annotation_str(),
                                   wanted));
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      model_.arguments.push_back(
          parse_tensor(given.text, fmt::format("{}.{}", given.name, i), parts[i]));
      model_.arguments.back().parameter = given.name;
    }
  }

  void add_missing(const c10::Argument& argument) {
    const std::string& name = argument.name();
    const c10::Type& type = *argument.type();
    const bool is_tensor = type.kind() == c10::TypeKind::TensorType;
    if (is_tensor && none_given_ && !guessed_) {
      guessed_ = true;
      model_.arguments.emplace_back().name = name;
      return;
    }
    const auto optional = type.cast<c10::OptionalType>();
    const c10::Type& inner = optional ? *optional->getElementType() : type;
    const bool is_value = is_value_type(inner);
    std::string format = "DIMxDIMx...:DTYPE";
    if (is_value) {
      format = "VALUE";
    } else if (inner.kind() != c10::TypeKind::TensorType) {
      if (tensors_in(inner) == 0) refuse_type(name, type);
      format = "DIMxDIMx...:DTYPE,DIMxDIMx...:DTYPE with one for each of its tensors";
    }
    throw InputError(
        fmt::format("{}: the {} of forward's argument {} ({}) is not given; write "
                    "`input` {}={}{}",
                    model_.name, is_value ? "value" : "shape", name, type.annotation_str(), name,
                    format, optional ? ", or none" : ""));
  }

  [[noreturn]] void refuse_type(const std::string& name, const c10::Type& type) const {
    throw InputError(fmt::format(
        "{}: forward's argument {} has type {}; accepted are tensors, lists and tuples of "
        "tensors, and numbers, bools, strings and lists of them with one value for all requests",
        model_.name, name, type.annotation_str()));
  }

  std::vector<Given> given_;
  bool none_given_;
  bool guessed_ = false;
  ScriptModel& model_;
};

}  // namespace

int tensors_in(const c10::Type& type) {
  if (type.kind() == c10::TypeKind::TensorType) return 1;
  if (type.kind() == c10::TypeKind::ListType) {
    return type.containedType(0)->kind() == c10::TypeKind::TensorType ? -1 : 0;
  }
  if (type.kind() != c10::TypeKind::TupleType) return 0;
  int sum = 0;
  for (const c10::TypePtr& element : type.containedTypes()) {
    const int count = tensors_in(*element);
    if (count <= 0) return 0;
    sum += count;
  }
  return sum;
}

void describe_arguments(const c10::FunctionSchema& forward, const std::vector<std::string>& inputs,
                        ScriptModel* model) {
  Arguments arguments(read_names(inputs), model);
  for (std::size_t i = 1; i < forward.arguments().size(); ++i)
    arguments.add(forward.arguments()[i]);
  arguments.check_all_used(forward);
}

}  // namespace lingua
