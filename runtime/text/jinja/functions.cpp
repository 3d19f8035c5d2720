#include <fmt/format.h>

#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/evaluator.h"

namespace lingua::jinja {

Value Evaluator::call_function(const std::string& name, const Arguments& arguments) {
  if (name == "range") return range(arguments);
  if (name == "namespace") return make_namespace(arguments);
  if (name == "dict") return dict(arguments);
  if (name == "cycler") return cycler(arguments);
  if (name == "joiner") return joiner(arguments);
  if (name == "strftime_now") return Value(time_text(arguments));
  const Bound bound = bind(arguments, {"message"}, name);
  const std::string message = bound[0] ? to_text(*bound[0], budget_) : "";
  fail(fmt::format("the template refuses this conversation: {}", lingua::quoted(message)));
}

Value Evaluator::range(const Arguments& arguments) {
  const Bound bound = bind(arguments, {"start", "stop", "step"}, "range");
  if (!bound[0]) fail("range() without a bound");
  const std::int64_t start = bound[1] ? whole_or(bound[0], 0) : 0;
  const std::int64_t stop = bound[1] ? whole_or(bound[1], 0) : whole_or(bound[0], 0);
  return Value::range(start, stop, whole_or(bound[2], 1), budget_);
}

Value Evaluator::dict(const Arguments& arguments) {
  Entries entries;
  const Bound bound = bind({arguments.positional, {}}, {"mapping"}, "dict");
  if (bound[0] && bound[0]->is_dict()) {
    entries = bound[0]->entries();
    budget_.spend(static_cast<std::int64_t>(entries.size()) * 64);
  } else if (bound[0]) {
    for (const Value& pair : iterate(*bound[0], budget_)) {
      const List both = iterate(pair, budget_);
      if (both.size() != 2) fail("dict() takes pairs");
      put(entries, both[0], both[1], budget_);
    }
  }
  for (const auto& [name, value] : arguments.keywords) put(entries, Value(name), value, budget_);
  return Value::dict(std::move(entries));
}

Value Evaluator::made(Object::Kind kind, const std::string& name, Value self) {
  budget_.spend(256);
  auto object = std::make_shared<Object>();
  object->kind = kind;
  object->name = name;
  object->self = std::move(self);
  Value value(std::move(object));
  if (value.depth() > kMaxDepth) fail("values nest too deeply");
  return value;
}

Value Evaluator::make_namespace(const Arguments& arguments) {
  auto object = std::make_shared<Object>();
  object->kind = Object::Kind::kNamespace;
  object->attributes = dict(arguments).entries();
  budget_.spend(256);
  stateful_.push_back(object);
  return Value(std::move(object));
}

Value Evaluator::cycler(const Arguments& arguments) {
  if (arguments.positional.empty() || !arguments.keywords.empty()) {
    fail("cycler() takes values, one or more");
  }
  return made(Object::Kind::kCycler, "cycler", Value::list(arguments.positional));
}

Value Evaluator::joiner(const Arguments& arguments) {
  const Bound bound = bind(arguments, {"sep"}, "joiner");
  return made(Object::Kind::kJoiner, "joiner", bound[0].value_or(Value(", ")));
}

std::string Evaluator::time_text(const Arguments& arguments) const {
  const Bound bound = bind(arguments, {"format"}, "strftime_now");
  const std::string format = text_or(bound[0], "");
  if (format.size() > 256) fail("strftime_now() with a format longer than 256 bytes");
  // A mark at the end tells an empty result from one that is too long.
  char text[4096];
  const std::size_t size = std::strftime(text, sizeof text, (format + ".").c_str(), &now_);
  return size == 0 ? "" : std::string(text, size - 1);
}

// Methods of loops and of what cycler() makes.
Value Evaluator::call_object_method(const Value& self, const std::string& name,
                                    const Arguments& arguments) {
  Object& object = self.object();
  if (object.kind == Object::Kind::kCycler) {
    bind(arguments, {}, name);
    const auto index = static_cast<std::size_t>(std::exchange(object.index, 0));
    if (name == "reset") return Value();
    const List& items = object.self.items();
    object.index = static_cast<std::int64_t>((index + 1) % items.size());
    return items[index];
  }
  if (!arguments.keywords.empty()) fail(fmt::format("loop.{} takes no names", name));
  const List& values = arguments.positional;
  if (name == "cycle") {
    if (values.empty()) fail("loop.cycle without values");
    return values[static_cast<std::size_t>(object.index) % values.size()];
  }
  const Value now = Value::list(values, true);
  Entries& seen = object.attributes;
  if (!seen.empty() && equal(seen[0].second, now, budget_)) return Value(false);
  if (seen.empty()) stateful_.push_back(self.shared_object());
  seen = {{Value("changed"), now}};
  return Value(true);
}

}  // namespace lingua::jinja
