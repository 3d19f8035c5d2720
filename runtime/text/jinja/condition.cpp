#include "runtime/text/jinja/condition.h"

#include <fmt/format.h>

#include "runtime/base/errors.h"
#include "runtime/text/jinja/evaluator.h"
#include "runtime/text/jinja/parser.h"
#include "runtime/text/tokenizer.h"

namespace lingua::jinja {
namespace {

constexpr char kHolds = '1';

class ConditionParser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  ExpressionPtr run() {
    skip_no_text();
    next();  // {{
    ExpressionPtr whole = expression();
    const bool is_closed = next().kind == Token::Kind::kPrintEnd;
    skip_no_text();
    if (!is_closed || current().kind != Token::Kind::kEnd) refuse("what follows the expression");
    return whole;
  }

 private:
  void skip_no_text() {
    while (current().kind == Token::Kind::kText && current().text.empty()) next();
  }
};

void collect(const ExpressionPtr& expression, std::set<std::string>& names) {
  if (!expression) return;
  using Kind = Expression::Kind;
  const bool calls_range = expression->kind == Kind::kCall &&
                           expression->parts[0]->kind == Kind::kName &&
                           expression->parts[0]->name == "range";
  if (expression->kind == Kind::kName) names.insert(expression->name);
  for (std::size_t i = calls_range ? 1 : 0; i < expression->parts.size(); ++i)
    collect(expression->parts[i], names);
  for (const auto& [name, value] : expression->keywords) collect(value, names);
  collect(expression->unpacked_list, names);
  collect(expression->unpacked_dict, names);
}

Body if_it_holds(ExpressionPtr expression) {
  Body then(1);
  then[0].text = std::string(1, kHolds);
  Body whole(1);
  whole[0].kind = Statement::Kind::kIf;
  whole[0].branches.emplace_back(std::move(expression), std::move(then));
  return whole;
}

}  // namespace

Condition::Condition(std::string_view source, std::string name) : name_(std::move(name)) {
  constexpr std::size_t kLongest = 1 << 14;
  if (source.size() > kLongest) {
    throw InputError(fmt::format("{}: has {} bytes; expressions of up to {} are accepted", name_,
                                 source.size(), kLongest));
  }
  check_utf8(source, name_);
  try {
    Body printed(1);
    printed[0].kind = Statement::Kind::kPrint;
    printed[0].expression = ConditionParser(fmt::format("{{{{ {} }}}}", source)).run();
    check_names(printed);
    collect(printed[0].expression, variables_);
    body_ = if_it_holds(std::move(printed[0].expression));
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", name_, error.what()));
  }
}

bool Condition::holds(const Entries& variables) const {
  try {
    return Evaluator(variables, {}).render(body_) == std::string(1, kHolds);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", name_, error.what()));
  }
}

}  // namespace lingua::jinja
