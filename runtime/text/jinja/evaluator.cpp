#include "runtime/text/jinja/evaluator.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

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
  for (const char* known :
       {"range", "dict", "namespace", "cycler", "joiner", "raise_exception", "strftime_now"}) {
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
  unpack(call, arguments);
  return arguments;
}

// f(*list, **dict)
void Evaluator::unpack(const Expression& call, Arguments& arguments) {
  if (call.unpacked_list) {
    const Value items = eval(*call.unpacked_list);
    if (items.is_undefined()) fail(items.what());
    for (Value& one : iterate(items, budget_)) arguments.positional.push_back(std::move(one));
  }
  if (!call.unpacked_dict) return;
  const Value named = eval(*call.unpacked_dict);
  if (!named.is_dict()) fail(fmt::format("** takes a dictionary, not {}", named.type()));
  for (const auto& [key, value] : named.entries()) {
    budget_.spend(64);
    if (!key.is_text()) fail("** takes a dictionary whose keys are texts");
    for (const auto& [known, old] : arguments.keywords) {
      if (known == key.text()) fail(fmt::format("the argument {} twice", lingua::quoted(known)));
    }
    arguments.keywords.emplace_back(key.text(), value);
  }
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

Value Evaluator::eval_call(const Expression& call_expression, const std::optional<Value>& caller) {
  const Expression& callee = *call_expression.parts[0];
  const auto arguments = [&] {
    Arguments all = arguments_of(call_expression);
    if (caller) all.keywords.emplace_back("caller", *caller);
    line_ = call_expression.line;
    return all;
  };
  if (callee.kind != Kind::kAttribute) {
    const Value found = eval(callee);
    return call(found, arguments());
  }
  const Value self = eval(*callee.parts[0]);
  if (has_method(self, callee.name) && !self.is_object()) {
    return call_method(self, callee.name, arguments(), budget_);
  }
  const Value found = attribute(self, callee.name, budget_);
  return call(found, arguments());
}

Value Evaluator::call(const Value& callee, const Arguments& arguments) {
  if (callee.is_undefined()) fail(callee.what());
  if (!callee.is_object()) fail(fmt::format("{} is not callable", callee.type()));
  Object& object = callee.object();
  switch (object.kind) {
    case Object::Kind::kFunction: return call_function(object.name, arguments);
    case Object::Kind::kMacro: return call_macro(object, arguments);
    case Object::Kind::kMethod:
      return object.self.is_object() ? call_object_method(object.self, object.name, arguments)
                                     : call_method(object.self, object.name, arguments, budget_);
    case Object::Kind::kJoiner:
      bind(arguments, {}, "joiner");
      return object.index++ == 0 ? Value("") : object.self;
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

// Puts parameters, and the special names that the macro's body mentions, into the scope.
void Evaluator::bind_macro(const Statement& macro, const Arguments& arguments) {
  auto& variables = scope_->variables;
  auto keywords = arguments.keywords;
  const auto taken = [&](const std::string& name) -> std::optional<Value> {
    const auto at = std::find_if(keywords.begin(), keywords.end(),
                                 [&](const auto& one) { return one.first == name; });
    if (at == keywords.end()) return std::nullopt;
    Value value = std::move(at->second);
    keywords.erase(at);
    return value;
  };
  const List& given = arguments.positional;
  const std::size_t count = macro.parameters.size();
  std::set<std::string> names;
  for (std::size_t i = 0; i < count; ++i) {
    const auto& [name, otherwise] = macro.parameters[i];
    names.insert(name);
    std::optional<Value> value;
    if (i < given.size()) {
      value = given[i];
    } else {
      value = taken(name);
    }
    if (!value && otherwise) value = eval(*otherwise);
    variables[name] =
        value
            ? *value
            : Value::undefined(fmt::format("parameter {} was not provided", lingua::quoted(name)));
  }
  const auto mentions = [&](const char* name) {
    return macro.mentions.contains(name) && !names.contains(name);
  };
  if (mentions("caller")) {
    variables["caller"] = taken("caller").value_or(Value::undefined("No caller defined"));
  }
  if (mentions("kwargs")) {
    Entries rest;
    for (auto& [name, value] : keywords) put(rest, Value(name), std::move(value), budget_);
    variables["kwargs"] = Value::dict(std::move(rest));
  } else if (!keywords.empty()) {
    fail(fmt::format("macro {} takes no argument {} here", lingua::quoted(macro.text),
                     lingua::quoted(keywords[0].first)));
  }
  if (mentions("varargs")) {
    const auto from = given.begin() + static_cast<std::ptrdiff_t>(std::min(count, given.size()));
    variables["varargs"] = Value::list({from, given.end()}, true);
  } else if (given.size() > count) {
    fail(fmt::format("macro {} takes not more than {} arguments", lingua::quoted(macro.text),
                     count));
  }
}

Value Evaluator::call_macro(const Object& object, const Arguments& arguments) {
  const Statement& macro = *object.macro;
  const auto defined_in = std::find_if(captured_.begin(), captured_.end(),
                                       [&](const auto& one) { return one.get() == object.scope; });
  const std::shared_ptr<Scope> outside = std::exchange(scope_, std::make_shared<Scope>());
  scope_->parent = *defined_in;
  bind_macro(macro, arguments);
  std::string text = capture(macro.body);
  scope_ = outside;
  return Value(std::move(text));
}

}  // namespace lingua::jinja
