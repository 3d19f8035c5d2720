#include "runtime/text/jinja/operations.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "runtime/checkpoint/json.h"

namespace lingua::jinja {
namespace {

[[noreturn]] void refuse(const std::string& operation, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (value->is_undefined()) fail(value->what());
  }
  fail(fmt::format("{} and {} cannot be operands of '{}'", a.type(), b.type(), operation));
}

std::int64_t checked(bool overflow, std::int64_t result) {
  if (overflow) fail("a number beyond 64 bits");
  return result;
}

std::int64_t floor_divided(std::int64_t a, std::int64_t b) {
  if (a == INT64_MIN && b == -1) fail("a number beyond 64 bits");
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}

std::int64_t remainder_of(std::int64_t a, std::int64_t b) {
  if (b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

Value whole_power(std::int64_t a, std::int64_t b) {
  if (b < 0) {
    if (a == 0) fail("division by zero");
    return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  if (a == 0 || a == 1) return Value(b == 0 ? std::int64_t{1} : a);
  if (a == -1) return Value(std::int64_t{b % 2 == 0 ? 1 : -1});
  std::int64_t result = 1;
  for (std::int64_t i = 0; i < b; ++i) {
    const bool overflow = __builtin_mul_overflow(result, a, &result);
    checked(overflow, result);
  }
  return Value(result);
}

Value whole_arithmetic(const std::string& operation, std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  if (operation == "+") {
    const bool overflow = __builtin_add_overflow(a, b, &result);
    return Value(checked(overflow, result));
  }
  if (operation == "-") {
    const bool overflow = __builtin_sub_overflow(a, b, &result);
    return Value(checked(overflow, result));
  }
  if (operation == "*") {
    const bool overflow = __builtin_mul_overflow(a, b, &result);
    return Value(checked(overflow, result));
  }
  if (operation == "**") return whole_power(a, b);
  if (b == 0) fail("division by zero");
  if (operation == "/") return Value(static_cast<double>(a) / static_cast<double>(b));
  return Value(operation == "//" ? floor_divided(a, b) : remainder_of(a, b));
}

Value real_arithmetic(const std::string& operation, double a, double b) {
  if (operation == "+") return Value(a + b);
  if (operation == "-") return Value(a - b);
  if (operation == "*") return Value(a * b);
  if (operation == "**") return Value(std::pow(a, b));
  if (b == 0) fail("division by zero");
  if (operation == "/") return Value(a / b);
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (operation == "%") return Value(rest == 0 ? std::copysign(0.0, b) : rest);
  return Value(std::round((a - rest) / b));
}

Value repeated(const Value& value, std::int64_t count, Budget& budget) {
  count = std::max<std::int64_t>(0, count);
  const std::int64_t unit = value.is_text() ? static_cast<std::int64_t>(value.text().size())
                                            : static_cast<std::int64_t>(value.items().size()) * 32;
  if (unit > 0 && count > budget.left() / unit) budget.spend(budget.left() + 1);
  budget.spend(unit * count);
  if (unit == 0) count = 0;
  std::string text;
  List items;
  for (std::int64_t i = 0; i < count; ++i) {
    if (value.is_text()) {
      text += value.text();
    } else {
      items.insert(items.end(), value.items().begin(), value.items().end());
    }
  }
  return value.is_text() ? text_like(value, std::move(text))
                         : Value::list(std::move(items), value.is_tuple());
}

Value added(const Value& a, const Value& b, Budget& budget) {
  if (a.is_text() && b.is_text()) {
    budget.spend(static_cast<std::int64_t>(a.text().size() + b.text().size()));
    if (a.is_markup() || b.is_markup())
      return Value::markup(escaped(a, budget) + escaped(b, budget));
    return Value(a.text() + b.text());
  }
  if (!(a.is_list() && b.is_list()) && !(a.is_tuple() && b.is_tuple())) refuse("+", a, b);
  budget.spend(static_cast<std::int64_t>(a.items().size() + b.items().size()) * 32);
  List items = a.items();
  items.insert(items.end(), b.items().begin(), b.items().end());
  return Value::list(std::move(items), a.is_tuple());
}

Value loop_attribute(const Value& value, const std::string& name, const Value& missing) {
  const Object& loop = value.object();
  const auto size = static_cast<std::int64_t>(loop.self.items().size());
  const auto at = [&](std::int64_t index) {
    return index < 0 || index >= size ? missing
                                      : loop.self.items()[static_cast<std::size_t>(index)];
  };
  if (name == "index") return Value(loop.index + 1);
  if (name == "index0") return Value(loop.index);
  if (name == "revindex") return Value(size - loop.index);
  if (name == "revindex0") return Value(size - loop.index - 1);
  if (name == "first") return Value(loop.index == 0);
  if (name == "last") return Value(loop.index == size - 1);
  if (name == "length") return Value(size);
  if (name == "depth") return Value(loop.level + 1);
  if (name == "depth0") return Value(loop.level);
  if (name == "previtem") return at(loop.index - 1);
  if (name == "nextitem") return at(loop.index + 1);
  return missing;
}

std::optional<std::int64_t> bound_of(const Value& value) {
  if (value.is_none()) return std::nullopt;
  if (value.is_undefined()) fail(value.what());
  if (value.is_float() || !value.is_number()) {
    fail(fmt::format("slice bounds are whole numbers, not {}", value.type()));
  }
  return value.whole();
}

// Python's slice.indices(): begin, end and step.
std::array<std::int64_t, 3> slice_bounds(std::int64_t size, std::optional<std::int64_t> from,
                                         std::optional<std::int64_t> to, std::int64_t step) {
  const bool forwards = step > 0;
  const auto clamp = [&](std::optional<std::int64_t> bound, std::int64_t otherwise) {
    if (!bound) return otherwise;
    const std::int64_t index =
        *bound < 0 ? std::max<std::int64_t>(*bound, -size - 1) + size : *bound;
    return std::clamp(index, std::int64_t{forwards ? 0 : -1}, forwards ? size : size - 1);
  };
  return {clamp(from, forwards ? 0 : size - 1), clamp(to, forwards ? size : -1),
          std::clamp(step, -size - 1, size + 1)};
}

Value sliced_range(const Value& range, const std::array<std::int64_t, 3>& by, Budget& budget) {
  const auto& [start, stop, step] = range.sequence().bounds;
  const auto checked_sum = [](std::int64_t a, std::int64_t b, std::int64_t c) {
    return whole_arithmetic("+", a, whole_arithmetic("*", b, c).whole()).whole();
  };
  return Value::range(checked_sum(start, by[0], step), checked_sum(start, by[1], step),
                      checked_sum(0, by[2], step), budget);
}

}  // namespace

Bound bind(const Arguments& arguments, std::initializer_list<const char*> names,
           const std::string& callee) {
  Bound bound(names.size());
  if (arguments.positional.size() > names.size()) {
    fail(fmt::format("{} takes at most {} arguments", callee, names.size()));
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), bound.begin());
  for (const auto& [name, value] : arguments.keywords) {
    const auto known = std::find_if(names.begin(), names.end(),
                                    [&, key = name](const char* one) { return key == one; });
    const auto index = static_cast<std::size_t>(known - names.begin());
    if (known == names.end() || bound[index]) {
      fail(fmt::format("{} has no argument {} or has it twice", callee, lingua::quoted(name)));
    }
    bound[index] = value;
  }
  return bound;
}

std::int64_t whole_or(const std::optional<Value>& value, std::int64_t otherwise) {
  if (!value) return otherwise;
  if (value->is_undefined()) fail(value->what());
  if (!value->is_int() && !value->is_bool()) {
    fail(fmt::format("{} is no whole number", value->type()));
  }
  return value->whole();
}

bool truth_or(const std::optional<Value>& value, bool otherwise) {
  return value ? truth(*value) : otherwise;
}

std::string text_or(const std::optional<Value>& value, const std::string& otherwise) {
  if (!value) return otherwise;
  if (value->is_undefined()) fail(value->what());
  if (!value->is_text()) fail(fmt::format("{} is no text", value->type()));
  return value->text();
}

Value binary(const std::string& operation, const Value& a, const Value& b, Budget& budget) {
  if (a.is_number() && b.is_number()) {
    if (a.is_float() || b.is_float()) return real_arithmetic(operation, a.real(), b.real());
    return whole_arithmetic(operation, a.whole(), b.whole());
  }
  if (operation == "+") return added(a, b, budget);
  if (operation == "%" && a.is_text()) return percent_format(a, b, budget);
  if (operation == "*") {
    const auto is_count = [](const Value& value) { return value.is_int() || value.is_bool(); };
    const auto repeats = [](const Value& value) {
      return value.is_text() || value.is_list() || value.is_tuple();
    };
    if (repeats(a) && is_count(b)) return repeated(a, b.whole(), budget);
    if (repeats(b) && is_count(a)) return repeated(b, a.whole(), budget);
  }
  refuse(operation, a, b);
}

Value negative(const Value& value) {
  if (value.is_float()) return Value(-value.real());
  if (value.is_number()) return whole_arithmetic("-", 0, value.whole());
  if (value.is_undefined()) fail(value.what());
  fail(fmt::format("{} has no negative", value.type()));
}

bool contains(const Value& whole, const Value& part, Budget& budget) {
  if (whole.is_text()) {
    if (part.is_undefined()) fail(part.what());
    if (!part.is_text()) fail(fmt::format("{} in a text", part.type()));
    budget.spend(static_cast<std::int64_t>(whole.text().size()));
    return whole.text().find(part.text()) != std::string::npos;
  }
  if (whole.is_dict() && (part.is_dict() || part.is_list())) {
    fail(fmt::format("{} cannot be a key", part.type()));
  }
  if (whole.is_dict()) return find(whole.entries(), part, budget) != nullptr;
  const List items = iterate(whole, budget);
  return std::any_of(items.begin(), items.end(),
                     [&](const Value& one) { return equal(one, part, budget); });
}

std::int64_t length(const Value& value) {
  if (value.is_text()) return length_of(value.text());
  if (value.is_sequence()) return static_cast<std::int64_t>(value.items().size());
  if (value.is_dict()) return static_cast<std::int64_t>(value.entries().size());
  if (value.is_undefined()) return 0;
  if (is(value, Object::Kind::kView) || is(value, Object::Kind::kLoop)) {
    return length(value.object().self);
  }
  fail(fmt::format("{} has no length", value.type()));
}

Value attribute(const Value& value, const std::string& name, Budget& budget) {
  if (value.is_undefined()) fail(value.what());
  const Value missing =
      Value::undefined(fmt::format("'{}' has no attribute {}", value.type(), lingua::quoted(name)));
  if (has_method(value, name)) {
    auto method = std::make_shared<Object>();
    method->kind = Object::Kind::kMethod;
    method->name = name;
    method->self = value;
    if (value.depth() + 1 > kMaxDepth) fail("values nest too deeply");
    return Value(std::move(method));
  }
  if (is(value, Object::Kind::kLoop)) return loop_attribute(value, name, missing);
  if (is(value, Object::Kind::kCycler) && name == "current") {
    const Object& cycler = value.object();
    return cycler.self.items()[static_cast<std::size_t>(cycler.index)];
  }
  if (is(value, Object::Kind::kMacro) && name == "name") return Value(value.object().name);
  if (value.is_sequence() && value.sequence().form == Sequence::Form::kGroup) {
    if (name == "grouper") return value.items()[0];
    if (name == "list") return value.items()[1];
  }
  const bool is_namespace = is(value, Object::Kind::kNamespace);
  if (!value.is_dict() && !is_namespace) return missing;
  const Entries& entries = is_namespace ? value.object().attributes : value.entries();
  const Value* found = find(entries, Value(name), budget);
  return found == nullptr ? missing : *found;
}

Value item(const Value& value, const Value& key, Budget& budget) {
  if (value.is_undefined()) fail(value.what());
  if (value.is_dict()) {
    if (const Value* found = find(value.entries(), key, budget)) return *found;
  } else if ((value.is_sequence() || value.is_text()) && (key.is_int() || key.is_bool())) {
    const std::int64_t size = length(value);
    const std::int64_t index = key.whole() < 0 ? key.whole() + size : key.whole();
    if (index >= 0 && index < size) {
      if (value.is_sequence()) return value.items()[static_cast<std::size_t>(index)];
      budget.spend(static_cast<std::int64_t>(value.text().size()) * 16);
      return text_like(value,
                       std::string(characters(value.text())[static_cast<std::size_t>(index)]));
    }
  }
  if (key.is_text()) return attribute(value, key.text(), budget);
  return Value::undefined(
      fmt::format("'{}' has no element {}", value.type(), to_repr(key, budget)));
}

Value slice(const Value& value, const Value& from, const Value& to, const Value& step,
            Budget& budget) {
  if (value.is_undefined()) fail(value.what());
  if (!value.is_text() && !value.is_sequence()) {
    fail(fmt::format("'{}' has no slices", value.type()));
  }
  const std::int64_t by = bound_of(step).value_or(1);
  if (by == 0) fail("a slice's step is 0");
  const std::int64_t size = length(value);
  budget.spend(size * 32);
  const auto bounds = slice_bounds(size, bound_of(from), bound_of(to), by);
  if (value.is_sequence() && !value.is_list() && !value.is_tuple()) {
    return sliced_range(value, bounds, budget);
  }
  std::vector<std::size_t> indices;
  for (std::int64_t i = bounds[0]; by > 0 ? i < bounds[1] : i > bounds[1]; i += bounds[2]) {
    indices.push_back(static_cast<std::size_t>(i));
  }
  if (value.is_sequence()) {
    List items;
    for (const std::size_t index : indices) items.push_back(value.items()[index]);
    return Value::list(std::move(items), value.is_tuple());
  }
  const std::vector<std::string_view> all = characters(value.text());
  std::string text;
  for (const std::size_t index : indices) text += all[index];
  return text_like(value, std::move(text));
}

}  // namespace lingua::jinja
