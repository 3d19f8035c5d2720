#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/jinja/parser.h"

namespace lingua::jinja {
namespace {

using Kind = Expression::Kind;
constexpr int kDeepest = 60;        // brackets and statements
constexpr int kLongestChain = 200;  // a + b + c + ...

}  // namespace

ExpressionParser::Nesting::Nesting(ExpressionParser& parser) : parser_(parser) {
  if (parser.nesting_ >= kDeepest) parser.refuse("deeper nesting");
  ++parser.nesting_;
}

Token ExpressionParser::next() {
  Token token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool ExpressionParser::is_operator(std::string_view text) const {
  return current().kind == Token::Kind::kOperator && current().text == text;
}
bool ExpressionParser::is_name(std::string_view text) const {
  return current().kind == Token::Kind::kName && current().text == text;
}
bool ExpressionParser::skip_operator(std::string_view text) {
  const bool is = is_operator(text);
  if (is) next();
  return is;
}
bool ExpressionParser::skip_name(std::string_view text) {
  const bool is = is_name(text);
  if (is) next();
  return is;
}
void ExpressionParser::expect_operator(std::string_view text) {
  if (!skip_operator(text)) refuse(fmt::format("something else than '{}'", text));
}
std::string ExpressionParser::expect_name() {
  if (current().kind != Token::Kind::kName) refuse("something else than a name");
  return next().text;
}

void ExpressionParser::refuse(const std::string& what) const {
  const Token& token = current();
  const std::string at = token.kind == Token::Kind::kEnd ? "the end" : lingua::quoted(token.text);
  throw InputError(fmt::format("line {}: {} is not accepted here, at {}", token.line, what, at));
}

void ExpressionParser::measure(Expression& expression) const {
  for (const ExpressionPtr& part : expression.parts) {
    if (part) expression.depth = std::max(expression.depth, part->depth + 1);
  }
  for (const auto& [name, value] : expression.keywords) {
    expression.depth = std::max(expression.depth, value->depth + 1);
  }
  for (const ExpressionPtr* part : {&expression.unpacked_list, &expression.unpacked_dict}) {
    if (*part) expression.depth = std::max(expression.depth, (*part)->depth + 1);
  }
  if (expression.depth > kLongestChain) refuse("a longer expression");
}

ExpressionPtr ExpressionParser::make(Kind kind, std::vector<ExpressionPtr> parts,
                                     std::string name) const {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = current().line;
  made->name = std::move(name);
  made->parts = std::move(parts);
  measure(*made);
  return made;
}

ExpressionPtr ExpressionParser::expression(bool with_condition) {
  const Nesting nesting(*this);
  ExpressionPtr value = disjunction();
  while (with_condition && skip_name("if")) {
    ExpressionPtr condition = disjunction();
    ExpressionPtr otherwise = skip_name("else") ? expression() : nullptr;
    value =
        node(Kind::kConditional, "", std::move(value), std::move(condition), std::move(otherwise));
  }
  return value;
}

ExpressionPtr ExpressionParser::disjunction() {
  ExpressionPtr left = conjunction();
  while (skip_name("or")) left = node(Kind::kOr, "", std::move(left), conjunction());
  return left;
}

ExpressionPtr ExpressionParser::conjunction() {
  ExpressionPtr left = negation();
  while (skip_name("and")) left = node(Kind::kAnd, "", std::move(left), negation());
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  if (!skip_name("not")) return comparison();
  const Nesting nesting(*this);
  return node(Kind::kNot, "", negation());
}

ExpressionPtr ExpressionParser::comparison() {
  std::vector<ExpressionPtr> parts;
  std::vector<std::string> operators;
  parts.push_back(sum());
  while (true) {
    const bool not_in =
        is_name("not") && following().kind == Token::Kind::kName && following().text == "in";
    static constexpr std::string_view kSymbols[] = {"==", "!=", "<", "<=", ">", ">="};
    const bool symbol = std::any_of(std::begin(kSymbols), std::end(kSymbols),
                                    [&](std::string_view known) { return is_operator(known); });
    if (not_in) {
      next();
      next();
      operators.emplace_back("not in");
    } else if (symbol || is_name("in")) {
      operators.push_back(next().text);
    } else {
      break;
    }
    parts.push_back(sum());
  }
  if (operators.empty()) return std::move(parts[0]);
  ExpressionPtr made = make(Kind::kComparison, std::move(parts));
  made->operators = std::move(operators);
  return made;
}

ExpressionPtr ExpressionParser::sum() {
  ExpressionPtr left = concatenation();
  while (is_operator("+") || is_operator("-")) {
    const std::string name = next().text;
    left = node(Kind::kBinary, name, std::move(left), concatenation());
  }
  return left;
}

ExpressionPtr ExpressionParser::concatenation() {
  std::vector<ExpressionPtr> parts;
  parts.push_back(product());
  while (skip_operator("~")) parts.push_back(product());
  if (parts.size() == 1) return std::move(parts[0]);
  return make(Kind::kConcatenation, std::move(parts));
}

ExpressionPtr ExpressionParser::product() {
  ExpressionPtr left = power();
  while (is_operator("*") || is_operator("/") || is_operator("//") || is_operator("%")) {
    const std::string name = next().text;
    left = node(Kind::kBinary, name, std::move(left), power());
  }
  return left;
}

ExpressionPtr ExpressionParser::power() {
  ExpressionPtr left = unary();
  while (skip_operator("**")) left = node(Kind::kBinary, "**", std::move(left), unary());
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filter) {
  const Nesting nesting(*this);
  ExpressionPtr value;
  if (skip_operator("-")) {
    value = node(Kind::kNegative, "", unary(false));
  } else if (skip_operator("+")) {
    value = node(Kind::kPositive, "", unary(false));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filter ? filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::primary() {
  switch (current().kind) {
    case Token::Kind::kName: {
      const std::string& name = current().text;
      ExpressionPtr value = make(Kind::kConstant);
      if (name == "true" || name == "True") {
        value->constant = Value(true);
      } else if (name == "false" || name == "False") {
        value->constant = Value(false);
      } else if (name != "none" && name != "None") {
        value = make(Kind::kName, {}, name);
        if (name == "caller" || name == "kwargs" || name == "varargs") mentions_.insert(name);
      }
      next();
      return value;
    }
    case Token::Kind::kString: return text_literal();
    case Token::Kind::kInteger:
    case Token::Kind::kFloat: return number();
    default: break;
  }
  if (skip_operator("(")) {
    ExpressionPtr value = tuple(true, true);
    expect_operator(")");
    return value;
  }
  if (is_operator("[")) return list();
  if (is_operator("{")) return dict();
  refuse("this");
}

ExpressionPtr ExpressionParser::text_literal() {
  ExpressionPtr value = make(Kind::kConstant);
  std::string text;
  while (current().kind == Token::Kind::kString) text += next().text;
  value->constant = Value(std::move(text));
  return value;
}

ExpressionPtr ExpressionParser::number() {
  ExpressionPtr value = make(Kind::kConstant);
  const std::string& text = current().text;
  if (current().kind == Token::Kind::kFloat) {
    value->constant = Value(std::strtod(text.c_str(), nullptr));
  } else {
    std::int64_t whole = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), whole);
    if (parsed.ec != std::errc()) refuse("a number beyond 64 bits");
    value->constant = Value(whole);
  }
  next();
  return value;
}

ExpressionPtr ExpressionParser::list() {
  std::vector<ExpressionPtr> parts;
  expect_operator("[");
  while (!is_operator("]")) {
    if (!parts.empty()) expect_operator(",");
    if (is_operator("]")) break;
    parts.push_back(expression());
  }
  next();
  return make(Kind::kList, std::move(parts));
}

ExpressionPtr ExpressionParser::dict() {
  std::vector<ExpressionPtr> parts;
  expect_operator("{");
  while (!is_operator("}")) {
    if (!parts.empty()) expect_operator(",");
    if (is_operator("}")) break;
    parts.push_back(expression());
    expect_operator(":");
    parts.push_back(expression());
  }
  next();
  return make(Kind::kDict, std::move(parts));
}

bool ExpressionParser::ends_tuple(bool in_parentheses) const {
  return current().kind == Token::Kind::kPrintEnd || current().kind == Token::Kind::kBlockEnd ||
         is_operator(")") || (!in_parentheses && is_name("recursive"));
}

ExpressionPtr ExpressionParser::tuple(bool with_condition, bool in_parentheses) {
  std::vector<ExpressionPtr> parts;
  bool several = false;
  while (!ends_tuple(in_parentheses)) {
    parts.push_back(expression(with_condition));
    if (!skip_operator(",")) break;
    several = true;
  }
  if (parts.empty() && !in_parentheses) refuse("a missing value");
  if (!several && parts.size() == 1) return std::move(parts[0]);
  return make(Kind::kTuple, std::move(parts));
}

ExpressionPtr ExpressionParser::target(bool single) {
  const Nesting nesting(*this);
  std::vector<ExpressionPtr> parts;
  bool several = false;
  do {
    if (!parts.empty() && current().kind != Token::Kind::kName && !is_operator("(")) break;
    if (skip_operator("(")) {
      parts.push_back(target(false));
      expect_operator(")");
    } else {
      const std::string name = expect_name();
      for (const char* constant : {"true", "false", "none", "True", "False", "None"}) {
        if (name == constant) refuse("a constant as a variable");
      }
      ExpressionPtr part = make(Kind::kName, {}, name);
      if (skip_operator(".")) {
        const std::string attribute = expect_name();
        part = node(Kind::kAttribute, attribute, std::move(part));
      }
      parts.push_back(std::move(part));
    }
    if (single || !is_operator(",")) break;
    several = true;
  } while (skip_operator(",") && !is_name("in"));
  if (!several) return std::move(parts[0]);
  return make(Kind::kTuple, std::move(parts));
}

ExpressionPtr ExpressionParser::postfix(ExpressionPtr value) {
  while (true) {
    if (skip_operator(".")) {
      if (current().kind == Token::Kind::kInteger) {
        value = node(Kind::kItem, "", std::move(value), number());
      } else {
        const std::string name = expect_name();
        value = node(Kind::kAttribute, name, std::move(value));
      }
    } else if (skip_operator("[")) {
      value = subscript(std::move(value));
    } else if (is_operator("(")) {
      value = node(Kind::kCall, "", std::move(value));
      call_arguments(*value);
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr value) {
  ExpressionPtr bounds[3];
  std::size_t count = 0;
  bool slice = false;
  while (!is_operator("]")) {
    if (skip_operator(":")) {
      slice = true;
      if (++count > 2) refuse("a third ':'");
    } else if (bounds[count] == nullptr) {
      bounds[count] = expression();
    } else {
      refuse(is_operator(",") ? "a key of several parts" : "this");
    }
  }
  if (!slice && bounds[0] == nullptr) refuse("a missing key");
  next();
  if (!slice) return node(Kind::kItem, "", std::move(value), std::move(bounds[0]));
  return node(Kind::kSlice, "", std::move(value), std::move(bounds[0]), std::move(bounds[1]),
              std::move(bounds[2]));
}

void ExpressionParser::call_arguments(Expression& call) {
  expect_operator("(");
  bool first = true;
  while (!is_operator(")")) {
    if (!first) expect_operator(",");
    first = false;
    if (is_operator(")")) break;
    if (skip_operator("*")) {
      if (call.unpacked_list || call.unpacked_dict) refuse("a second unpacked argument");
      call.unpacked_list = expression();
      continue;
    }
    if (skip_operator("**")) {
      if (call.unpacked_dict) refuse("a second unpacked argument");
      call.unpacked_dict = expression();
      continue;
    }
    const bool keyword = current().kind == Token::Kind::kName &&
                         following().kind == Token::Kind::kOperator && following().text == "=";
    if (keyword && call.unpacked_dict) refuse("an argument after '**'");
    if (keyword) {
      const std::string name = next().text;
      next();
      for (const auto& [known, value] : call.keywords) {
        if (known == name) refuse("an argument given twice");
      }
      call.keywords.emplace_back(name, expression());
    } else {
      if (!call.keywords.empty() || call.unpacked_list || call.unpacked_dict) {
        refuse("an argument without a name after one with a name or '*'");
      }
      call.parts.push_back(expression());
    }
  }
  next();
  measure(call);
}

ExpressionPtr ExpressionParser::filters_and_tests(ExpressionPtr value) {
  while (true) {
    if (is_operator("|")) {
      value = filters(std::move(value), false);
    } else if (is_name("is")) {
      value = test(std::move(value));
    } else if (is_operator("(")) {
      value = node(Kind::kCall, "", std::move(value));
      call_arguments(*value);
    } else {
      return value;
    }
  }
}

ExpressionPtr ExpressionParser::filters(ExpressionPtr value, bool begins_with_name) {
  while (begins_with_name || skip_operator("|")) {
    begins_with_name = false;
    std::string name = expect_name();
    while (skip_operator(".")) {
      name += '.';
      name += expect_name();
    }
    value = node(Kind::kFilter, name, std::move(value));
    if (is_operator("(")) call_arguments(*value);
  }
  return value;
}

ExpressionPtr ExpressionParser::test(ExpressionPtr value) {
  next();
  const bool negated = skip_name("not");
  std::string name = expect_name();
  while (skip_operator(".")) {
    name += '.';
    name += expect_name();
  }
  ExpressionPtr made = node(Kind::kTest, name, std::move(value));
  const Token::Kind kind = current().kind;
  const bool value_follows =
      kind == Token::Kind::kString || kind == Token::Kind::kInteger ||
      kind == Token::Kind::kFloat || is_operator("[") || is_operator("{") ||
      (kind == Token::Kind::kName && !is_name("else") && !is_name("or") && !is_name("and"));
  if (is_operator("(")) {
    call_arguments(*made);
  } else if (value_follows) {
    if (is_name("is")) refuse("a test of a test");
    made->parts.push_back(postfix(primary()));
    measure(*made);
  }
  return negated ? node(Kind::kNot, "", std::move(made)) : std::move(made);
}

}  // namespace lingua::jinja
