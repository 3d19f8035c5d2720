#pragma once
// The grammar of expressions, which the statements of parser.cpp are made of.
//
// Source: jinja2/parser.py, version 3.1.

#include <set>
#include <string>
#include <vector>

#include "runtime/text/jinja/ast.h"
#include "runtime/text/jinja/lexer.h"

namespace lingua::jinja {

class ExpressionParser {
 public:
  explicit ExpressionParser(std::string_view source) : tokens_(tokenise(source)) {}

 protected:
  const Token& current() const { return tokens_[at_]; }
  const Token& following() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token next();
  bool is_operator(std::string_view text) const;
  bool is_name(std::string_view text) const;
  bool skip_operator(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_operator(std::string_view text);
  std::string expect_name();
  [[noreturn]] void refuse(const std::string& what) const;

  ExpressionPtr expression(bool with_condition = true);
  // One expression, or several with commas between them: a tuple.
  ExpressionPtr tuple(bool with_condition = true, bool in_parentheses = false);
  ExpressionPtr target(bool single);
  ExpressionPtr filters(ExpressionPtr value, bool begins_with_name);
  void call_arguments(Expression& call);
  ExpressionPtr unary(bool with_filter = true);

  std::set<std::string> mentions_;  // of caller, kwargs and varargs, since a macro began

  // Counts how deep the source nests.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser);
    ~Nesting() { --parser_.nesting_; }

   private:
    ExpressionParser& parser_;
  };

 private:
  ExpressionPtr make(Expression::Kind kind, std::vector<ExpressionPtr> parts = {},
                     std::string name = "") const;
  template <typename... Parts>
  ExpressionPtr node(Expression::Kind kind, std::string name, Parts... parts) const {
    std::vector<ExpressionPtr> all;
    (all.push_back(std::move(parts)), ...);
    return make(kind, std::move(all), std::move(name));
  }
  void measure(Expression& expression) const;
  ExpressionPtr disjunction();
  ExpressionPtr conjunction();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr primary();
  ExpressionPtr text_literal();
  ExpressionPtr number();
  ExpressionPtr list();
  ExpressionPtr dict();
  ExpressionPtr postfix(ExpressionPtr value);
  ExpressionPtr subscript(ExpressionPtr value);
  ExpressionPtr filters_and_tests(ExpressionPtr value);
  ExpressionPtr test(ExpressionPtr value);
  bool ends_tuple(bool in_parentheses) const;

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace lingua::jinja
