#include "runtime/text/jinja/evaluator.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"

namespace lingua::jinja {
namespace {

using Kind = Expression::Kind;

bool holds(const std::string& operation, const Value& a, const Value& b, Budget& budget) {
  if (operation == "in") return contains(b, a, budget);
  if (operation == "not in") return !contains(b, a, budget);
  if (operation == "==") return equal(a, b, budget);
  if (operation == "!=") return !equal(a, b, budget);
  const int order = compare(a, b, budget);
  if (operation == "<") return order < 0;
  if (operation == "<=") return order <= 0;
  return operation == ">" ? order > 0 : order >= 0;
}

}  // namespace

Value Evaluator::eval(const Expression& expression) {
  const Deeper deeper(*this);
  line_ = expression.line;
  const auto part = [&](std::size_t index) { return eval(*expression.parts[index]); };
  switch (expression.kind) {
    case Kind::kConstant: return expression.constant;
    case Kind::kName: return eval_name(expression.name);
    case Kind::kList: return Value::list(eval_parts(expression, 0));
    case Kind::kTuple: return Value::list(eval_parts(expression, 0), true);
    case Kind::kDict: return eval_dict(expression);
    case Kind::kNot: return Value(!truth(part(0)));
    case Kind::kAnd: {
      Value left = part(0);
      return truth(left) ? part(1) : left;
    }
    case Kind::kOr: {
      Value left = part(0);
      return truth(left) ? left : part(1);
    }
    case Kind::kNegative: return negative(part(0));
    case Kind::kPositive: return negative(negative(part(0)));
    case Kind::kBinary: {
      const Value left = part(0);
      const Value right = part(1);
      return binary(expression.name, left, right, budget_);
    }
    case Kind::kConcatenation: return eval_concatenation(expression);
    case Kind::kComparison: return eval_comparison(expression);
    case Kind::kConditional:
      if (truth(part(1))) return part(0);
      if (expression.parts[2]) return part(2);
      return Value::undefined("the inline if-expression was false and has no else");
    case Kind::kAttribute: return attribute(part(0), expression.name, budget_);
    case Kind::kItem: {
      const Value value = part(0);
      return item(value, part(1), budget_);
    }
    case Kind::kSlice: return eval_slice(expression);
    case Kind::kCall: return eval_call(expression);
    case Kind::kFilter: return eval_filter(expression, part(0));
    case Kind::kTest: return eval_test(expression);
  }
  throw BugError("an expression of no kind");
}

Value Evaluator::eval_optional(const ExpressionPtr& expression) {
  return expression ? eval(*expression) : Value();
}

List Evaluator::eval_parts(const Expression& expression, std::size_t from) {
  List values;
  for (std::size_t i = from; i < expression.parts.size(); ++i) {
    values.push_back(eval(*expression.parts[i]));
  }
  budget_.spend(static_cast<std::int64_t>(values.size()) * 32);
  return values;
}

Value Evaluator::eval_dict(const Expression& expression) {
  Entries entries;
  for (std::size_t i = 0; i < expression.parts.size(); i += 2) {
    const Value key = eval(*expression.parts[i]);
    put(entries, key, eval(*expression.parts[i + 1]), budget_);
  }
  return Value::dict(std::move(entries));
}

Value Evaluator::eval_name(const std::string& name) const {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    const auto found = scope->variables.find(name);
    if (found != scope->variables.end()) return found->second;
  }
  for (const char* known : {"range", "dict", "namespace", "raise_exception", "strftime_now"}) {
    if (name != known) continue;
    auto function = std::make_shared<Object>();
    function->name = name;
    return Value(std::move(function));
  }
  return Value::undefined(fmt::format("{} is undefined", lingua::quoted(name)));
}

Value Evaluator::eval_comparison(const Expression& expression) {
  Value left = eval(*expression.parts[0]);
  for (std::size_t i = 0; i < expression.operators.size(); ++i) {
    Value right = eval(*expression.parts[i + 1]);
    if (!holds(expression.operators[i], left, right, budget_)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Evaluator::eval_concatenation(const Expression& expression) {
  std::string text;
  for (const ExpressionPtr& part : expression.parts) text += to_text(eval(*part), budget_);
  return Value(std::move(text));
}

Value Evaluator::eval_slice(const Expression& expression) {
  const Value value = eval(*expression.parts[0]);
  const Value from = eval_optional(expression.parts[1]);
  const Value to = eval_optional(expression.parts[2]);
  return slice(value, from, to, eval_optional(expression.parts[3]), budget_);
}

Arguments Evaluator::arguments_of(const Expression& call) {
  Arguments arguments;
  arguments.positional = eval_parts(call, 1);
  for (const auto& [name, value] : call.keywords) {
    arguments.keywords.emplace_back(name, eval(*value));
  }
  return arguments;
}

Value Evaluator::eval_filter(const Expression& filter, const Value& value) {
  Value result = apply_filter(filter.name, value, arguments_of(filter), budget_);
  line_ = filter.line;
  return result;
}

Value Evaluator::eval_test(const Expression& test) {
  const Value value = eval(*test.parts[0]);
  return Value(apply_test(test.name, value, arguments_of(test), budget_));
}

Value Evaluator::eval_call(const Expression& call_expression) {
  // The call block's caller is for this call, not for those in its arguments.
  const Value* const caller = std::exchange(caller_, nullptr);
  const Expression& callee = *call_expression.parts[0];
  if (callee.kind == Kind::kAttribute) {
    const Value self = eval(*callee.parts[0]);
    if (has_method(self, callee.name)) {
      const Arguments arguments = arguments_of(call_expression);
      line_ = call_expression.line;
      return call_method(self, callee.name, arguments, budget_);
    }
    const Value found = attribute(self, callee.name, budget_);
    const Arguments arguments = arguments_of(call_expression);
    caller_ = caller;
    line_ = call_expression.line;
    return call(found, arguments);
  }
  const Value found = eval(callee);
  const Arguments arguments = arguments_of(call_expression);
  caller_ = caller;
  line_ = call_expression.line;
  return call(found, arguments);
}

Value Evaluator::call(const Value& callee, const Arguments& arguments) {
  if (callee.is_undefined()) fail(callee.what());
  if (!callee.is_object()) fail(fmt::format("{} is not callable", callee.type()));
  const Object& object = callee.object();
  switch (object.kind) {
    case Object::Kind::kFunction: return call_function(object.name, arguments);
    case Object::Kind::kMacro: return call_macro(object, arguments);
    case Object::Kind::kMethod:
      if (object.self.is_object()) {
        if (arguments.positional.empty()) fail("loop.cycle without values");
        const auto index = static_cast<std::size_t>(object.self.object().index);
        return arguments.positional[index % arguments.positional.size()];
      }
      return call_method(object.self, object.name, arguments, budget_);
    case Object::Kind::kLoop: {
      if (!object.recursive) fail("the loop is not recursive");
      const Bound bound = bind(arguments, {"items"}, "loop");
      if (!bound[0]) fail("loop() without items");
      const std::string before = std::exchange(output_, "");
      exec_for(*object.macro, *bound[0], object.level + 1);
      return Value(std::exchange(output_, before));
    }
    default: fail(fmt::format("{} is not callable", callee.type()));
  }
}

Value Evaluator::call_function(const std::string& name, const Arguments& arguments) {
  if (name == "range") return range(arguments);
  if (name == "namespace") return make_namespace(arguments);
  if (name == "dict") return dict(arguments);
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
  const std::int64_t step = whole_or(bound[2], 1);
  if (step == 0) fail("range() with the step 0");
  constexpr std::int64_t kLongest = 100000;  // the sandbox's own limit
  List items;
  for (std::int64_t i = start; step > 0 ? i < stop : i > stop;) {
    if (static_cast<std::int64_t>(items.size()) >= kLongest) fail("range() is longer than 100000");
    budget_.spend(32);
    items.emplace_back(i);
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return Value::list(std::move(items));
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

Value Evaluator::make_namespace(const Arguments& arguments) {
  budget_.spend(256);
  auto made = std::make_shared<Object>();
  made->kind = Object::Kind::kNamespace;
  made->attributes = dict(arguments).entries();
  namespaces_.push_back(made);
  return Value(std::move(made));
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

Value Evaluator::call_macro(const Object& object, const Arguments& arguments) {
  const Value caller = caller_ == nullptr ? Value() : *caller_;
  const bool has_caller = std::exchange(caller_, nullptr) != nullptr;
  const Statement& macro = *object.macro;
  if (arguments.positional.size() > macro.parameters.size()) {
    fail(fmt::format("macro {} takes not more than {} arguments", lingua::quoted(macro.text),
                     macro.parameters.size()));
  }
  for (const auto& [name, value] : arguments.keywords) {
    const auto at = std::find_if(macro.parameters.begin(), macro.parameters.end(),
                                 [&, key = name](const auto& one) { return one.first == key; });
    if (at == macro.parameters.end() ||
        at - macro.parameters.begin() < static_cast<std::ptrdiff_t>(arguments.positional.size())) {
      fail(fmt::format("macro {} takes no argument {} here", lingua::quoted(macro.text),
                       lingua::quoted(name)));
    }
  }
  const auto defined_in = std::find_if(captured_.begin(), captured_.end(),
                                       [&](const auto& one) { return one.get() == object.scope; });
  const std::shared_ptr<Scope> outside = std::exchange(scope_, std::make_shared<Scope>());
  scope_->parent = *defined_in;
  for (std::size_t i = 0; i < macro.parameters.size(); ++i) {
    const auto& [name, otherwise] = macro.parameters[i];
    const auto keyword =
        std::find_if(arguments.keywords.begin(), arguments.keywords.end(),
                     [&, key = name](const auto& one) { return one.first == key; });
    Value value =
        Value::undefined(fmt::format("parameter {} was not provided", lingua::quoted(name)));
    if (i < arguments.positional.size()) {
      value = arguments.positional[i];
    } else if (keyword != arguments.keywords.end()) {
      value = keyword->second;
    } else if (otherwise) {
      value = eval(*otherwise);
    }
    scope_->variables[name] = std::move(value);
  }
  if (has_caller) scope_->variables["caller"] = caller;
  std::string text = capture(macro.body);
  scope_ = outside;
  return Value(std::move(text));
}

}  // namespace lingua::jinja
