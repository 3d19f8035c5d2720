#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/evaluator.h"
#include "runtime/text/jinja/template.h"

namespace lingua::jinja {
namespace {

using Kind = Statement::Kind;
constexpr int kDeepest = 700;

}  // namespace

Evaluator::Deeper::Deeper(Evaluator& evaluator) : evaluator_(evaluator) {
  evaluator.budget_.spend(64);
  if (evaluator.depth_ >= kDeepest) fail("macros or loops call each other too deeply");
  ++evaluator.depth_;
}

class Evaluator::Inner {
 public:
  explicit Inner(Evaluator& evaluator) : evaluator_(evaluator), outside_(evaluator.scope_) {
    evaluator.scope_ = std::make_shared<Scope>();
    evaluator.scope_->parent = outside_;
  }
  ~Inner() { evaluator_.scope_ = outside_; }

 private:
  Evaluator& evaluator_;
  std::shared_ptr<Scope> outside_;
};

Evaluator::Evaluator(const Entries& variables, const std::tm& now)
    : budget_(kMostText), now_(now), scope_(std::make_shared<Scope>()) {
  for (const auto& [name, value] : variables) scope_->variables[name.text()] = value;
}

Evaluator::~Evaluator() {
  for (const auto& one : stateful_) one->attributes.clear();
}

std::string Evaluator::render(const Body& body) {
  try {
    exec(body);
  } catch (const InputError& error) {
    throw InputError(fmt::format("line {}: {}", line_, error.what()));
  }
  return std::move(output_);
}

void Evaluator::write(const std::string& text) {
  budget_.spend(static_cast<std::int64_t>(text.size()));
  output_ += text;
}

std::string Evaluator::capture(const Body& body) {
  const Inner inner(*this);
  std::string before = std::exchange(output_, "");
  exec(body);
  return std::exchange(output_, std::move(before));
}

Evaluator::Flow Evaluator::exec(const Body& body) {
  for (const Statement& statement : body) {
    const Flow flow = exec(statement);
    if (flow != Flow::kOn) return flow;
  }
  return Flow::kOn;
}

Evaluator::Flow Evaluator::exec(const Statement& statement) {
  const Deeper deeper(*this);
  line_ = statement.line;
  switch (statement.kind) {
    case Kind::kText: write(statement.text); break;
    case Kind::kPrint: write(to_text(eval(*statement.expression), budget_)); break;
    case Kind::kIf: return exec_if(statement);
    case Kind::kFor: return exec_for(statement, eval(*statement.expression), 0);
    case Kind::kSet: assign(*statement.target, eval(*statement.expression)); break;
    case Kind::kSetBlock: exec_set_block(statement); break;
    case Kind::kMacro: scope_->variables[statement.text] = macro_object(statement); break;
    case Kind::kCall: exec_call(statement); break;
    case Kind::kFilter: {
      Value text(capture(statement.body));
      write(to_text(filtered(*statement.expression, std::move(text)), budget_));
      break;
    }
    case Kind::kWith: {
      List values;
      for (const auto& [name, value] : statement.parameters) values.push_back(eval(*value));
      const Inner inner(*this);
      for (std::size_t i = 0; i < values.size(); ++i) {
        scope_->variables[statement.parameters[i].first] = values[i];
      }
      return exec(statement.body);
    }
    case Kind::kScope: {
      const Inner inner(*this);
      return exec(statement.body);
    }
    case Kind::kBreak: return Flow::kBreak;
    case Kind::kContinue: return Flow::kContinue;
  }
  return Flow::kOn;
}

Evaluator::Flow Evaluator::exec_if(const Statement& statement) {
  for (const auto& [condition, body] : statement.branches) {
    if (!condition || truth(eval(*condition))) return exec(body);
  }
  return Flow::kOn;
}

List Evaluator::loop_items(const Statement& statement, const Value& over) {
  List items = iterate(over, budget_);
  if (!statement.filter) return items;
  List kept;
  for (const Value& one : items) {
    const Inner inner(*this);
    assign(*statement.target, one);
    if (truth(eval(*statement.filter))) kept.push_back(one);
  }
  return kept;
}

Evaluator::Flow Evaluator::exec_for(const Statement& statement, const Value& over,
                                    std::int64_t level) {
  const List items = loop_items(statement, over);
  if (items.empty()) {
    const Inner inner(*this);
    return exec(statement.otherwise);
  }
  auto loop = std::make_shared<Object>();
  loop->kind = Object::Kind::kLoop;
  loop->name = "loop";
  loop->self = Value::list(items);
  loop->macro = &statement;
  loop->recursive = statement.recursive;
  loop->level = level;
  if (Value(loop).depth() > kMaxDepth) fail("values nest too deeply");
  for (const Value& one : items) {
    budget_.spend(128);
    const Inner inner(*this);
    assign(*statement.target, one);
    scope_->variables["loop"] = Value(loop);
    if (exec(statement.body) == Flow::kBreak) break;
    ++loop->index;
  }
  return Flow::kOn;
}

void Evaluator::assign(const Expression& target, const Value& value) {
  if (target.kind == Expression::Kind::kName) {
    budget_.spend(64);
    scope_->variables[target.name] = value;
    return;
  }
  if (target.kind == Expression::Kind::kAttribute) {
    const Value owner = eval_name(target.parts[0]->name);
    if (!owner.is_object() || owner.object().kind != Object::Kind::kNamespace) {
      fail("cannot assign an attribute of something that is no namespace");
    }
    put(owner.object().attributes, Value(target.name), value, budget_);
    return;
  }
  const List values = iterate(value, budget_);
  if (values.size() != target.parts.size()) {
    fail(fmt::format("{} values for {} variables", values.size(), target.parts.size()));
  }
  for (std::size_t i = 0; i < values.size(); ++i) assign(*target.parts[i], values[i]);
}

// REQUIRES: the innermost filter has no value of its own.
Value Evaluator::filtered(const Expression& filter, Value text) {
  if (filter.parts[0]) text = filtered(*filter.parts[0], std::move(text));
  return eval_filter(filter, text);
}

void Evaluator::exec_set_block(const Statement& statement) {
  Value text(capture(statement.body));
  if (statement.expression) text = filtered(*statement.expression, std::move(text));
  assign(*statement.target, text);
}

Value Evaluator::macro_object(const Statement& statement) {
  budget_.spend(256);
  if (captured_.empty() || captured_.back() != scope_) captured_.push_back(scope_);
  auto macro = std::make_shared<Object>();
  macro->kind = Object::Kind::kMacro;
  macro->name = statement.text;
  macro->macro = &statement;
  macro->scope = scope_.get();
  return Value(std::move(macro));
}

void Evaluator::exec_call(const Statement& statement) {
  write(to_text(eval_call(*statement.expression, macro_object(statement)), budget_));
}

}  // namespace lingua::jinja
