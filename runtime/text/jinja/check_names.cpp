#include <fmt/format.h>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/ast.h"
#include "runtime/text/jinja/operations.h"

namespace lingua::jinja {
namespace {

void check(const Body& body, bool conditional);

[[noreturn]] void refuse(const Expression& expression, const char* what) {
  throw InputError(fmt::format("line {}: the {} {} is not known here", expression.line, what,
                               lingua::quoted(expression.name)));
}

void check(const ExpressionPtr& expression, bool conditional) {
  if (!expression) return;
  using Kind = Expression::Kind;
  if (!conditional) {
    const std::string& name = expression->name;
    if (expression->kind == Kind::kFilter && !has_filter(name)) refuse(*expression, "filter");
    if (expression->kind == Kind::kTest && !has_test(name)) refuse(*expression, "test");
  }
  conditional = conditional || expression->kind == Kind::kConditional;
  for (const ExpressionPtr& part : expression->parts) check(part, conditional);
  for (const auto& [name, value] : expression->keywords) check(value, conditional);
  check(expression->unpacked_list, conditional);
  check(expression->unpacked_dict, conditional);
}

void check(const Statement& statement, bool conditional) {
  using Kind = Statement::Kind;
  // A set block's filters are in its own scope, as those of a filter block.
  const bool inner = statement.kind == Kind::kSetBlock || statement.kind == Kind::kFilter;
  check(statement.expression, conditional && !inner);
  check(statement.filter, false);
  for (const auto& [condition, body] : statement.branches) {
    check(condition, true);
    check(body, true);
  }
  const bool with = statement.kind == Kind::kWith;
  for (const auto& [name, value] : statement.parameters) check(value, conditional && with);
  check(statement.body, false);
  check(statement.otherwise, false);
}

void check(const Body& body, bool conditional) {
  for (const Statement& statement : body) check(statement, conditional);
}

}  // namespace

void check_names(const Body& body) { check(body, false); }

}  // namespace lingua::jinja
