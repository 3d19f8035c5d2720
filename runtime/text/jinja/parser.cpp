#include "runtime/text/jinja/parser.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua::jinja {
namespace {

using Kind = Statement::Kind;

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Body run() {
    Body all = body({});
    if (current().kind != Token::Kind::kEnd) refuse("this");
    return all;
  }

 private:
  // Up to a tag with one of the names, which is left for the caller, behind its '{%'.
  Body body(const std::vector<std::string_view>& ends) {
    const Nesting nesting(*this);
    Body statements;
    while (true) {
      const Token token = current();
      if (token.kind == Token::Kind::kText) {
        next();
        if (token.text.empty()) continue;
        Statement text = begin(Kind::kText);
        text.text = token.text;
        statements.push_back(std::move(text));
      } else if (token.kind == Token::Kind::kPrintBegin) {
        next();
        Statement print = begin(Kind::kPrint);
        print.expression = tuple();
        if (next().kind != Token::Kind::kPrintEnd) refuse("something else than '}}'");
        statements.push_back(std::move(print));
      } else if (token.kind == Token::Kind::kBlockBegin) {
        next();
        if (std::any_of(ends.begin(), ends.end(), [&](auto end) { return is_name(end); })) break;
        statements.push_back(statement());
      } else {
        if (!ends.empty()) refuse(fmt::format("a missing '{}'", ends.back()));
        break;
      }
    }
    return statements;
  }

  Statement begin(Kind kind) const {
    Statement made;
    made.kind = kind;
    made.line = current().line;
    return made;
  }

  void end_tag() {
    if (current().kind != Token::Kind::kBlockEnd) refuse("something else than '%}'");
    next();
  }

  Body body_until(std::string_view end) {
    end_tag();
    Body statements = body({end});
    next();
    end_tag();
    return statements;
  }

  Statement statement() {
    if (is_name("if")) return condition();
    if (is_name("for")) return loop();
    if (is_name("set")) return assignment();
    if (is_name("macro")) return macro();
    if (is_name("call")) return call();
    if (is_name("filter")) return filter();
    if (is_name("with")) return with();
    if (is_name("generation")) {
      Statement made = begin(Kind::kScope);
      next();
      made.body = body_until("endgeneration");
      return made;
    }
    if (is_name("break") || is_name("continue")) {
      if (loops_ == 0) refuse("this outside a loop");
      Statement made = begin(is_name("break") ? Kind::kBreak : Kind::kContinue);
      next();
      end_tag();
      return made;
    }
    if (is_name("print")) {
      Statement made = begin(Kind::kPrint);
      next();
      made.expression = tuple();
      end_tag();
      return made;
    }
    refuse("a statement of this name");
  }

  Statement condition() {
    Statement made = begin(Kind::kIf);
    next();
    ExpressionPtr asked = tuple(false);
    while (true) {
      end_tag();
      Body then = body({"elif", "else", "endif"});
      made.branches.emplace_back(std::move(asked), std::move(then));
      const Token end = next();
      if (end.text == "elif") {
        asked = tuple(false);
        continue;
      }
      if (end.text == "else") made.branches.emplace_back(nullptr, body_until("endif"));
      if (end.text == "endif") end_tag();
      return made;
    }
  }

  Statement loop() {
    Statement made = begin(Kind::kFor);
    next();
    made.target = target(false);
    if (!skip_name("in")) refuse("something else than 'in'");
    made.expression = tuple(false);
    if (skip_name("if")) made.filter = expression();
    made.recursive = skip_name("recursive");
    end_tag();
    ++loops_;
    made.body = body({"else", "endfor"});
    --loops_;
    if (next().text == "else") {
      made.otherwise = body_until("endfor");
    } else {
      end_tag();
    }
    return made;
  }

  Statement assignment() {
    Statement made = begin(Kind::kSet);
    next();
    made.target = target(false);
    if (skip_operator("=")) {
      made.expression = tuple();
      end_tag();
      return made;
    }
    made.kind = Kind::kSetBlock;
    if (is_operator("|")) made.expression = filters(nullptr, false);
    made.body = body_until("endset");
    return made;
  }

  void parameters(Statement& made) {
    expect_operator("(");
    while (!is_operator(")")) {
      if (!made.parameters.empty()) expect_operator(",");
      if (is_operator(")")) break;
      const std::string name = expect_name();
      ExpressionPtr otherwise = skip_operator("=") ? expression() : nullptr;
      if (otherwise == nullptr && !made.parameters.empty() &&
          made.parameters.back().second != nullptr) {
        refuse("a parameter without a default after one with a default");
      }
      made.parameters.emplace_back(name, std::move(otherwise));
    }
    next();
  }

  // A loop outside a macro is none for break and continue inside it.
  void macro_body(Statement& made, std::string_view end) {
    const int loops = std::exchange(loops_, 0);
    const std::set<std::string> outside = std::exchange(mentions_, {});
    made.body = body_until(end);
    made.mentions = mentions_;
    mentions_.insert(outside.begin(), outside.end());
    loops_ = loops;
  }

  Statement macro() {
    Statement made = begin(Kind::kMacro);
    next();
    made.text = expect_name();
    parameters(made);
    macro_body(made, "endmacro");
    return made;
  }

  Statement call() {
    Statement made = begin(Kind::kCall);
    next();
    if (is_operator("(")) parameters(made);
    made.expression = expression();
    if (made.expression->kind != Expression::Kind::kCall) refuse("something else than a call");
    made.text = "caller";
    macro_body(made, "endcall");
    return made;
  }

  Statement filter() {
    Statement made = begin(Kind::kFilter);
    next();
    made.expression = filters(nullptr, true);
    made.body = body_until("endfilter");
    return made;
  }

  Statement with() {
    Statement made = begin(Kind::kWith);
    next();
    while (current().kind != Token::Kind::kBlockEnd) {
      if (!made.parameters.empty()) expect_operator(",");
      const std::string name = expect_name();
      expect_operator("=");
      made.parameters.emplace_back(name, expression());
    }
    made.body = body_until("endwith");
    return made;
  }

  int loops_ = 0;
};

}  // namespace

Body parse(std::string_view source) {
  Body body = Parser(source).run();
  check_names(body);
  return body;
}

}  // namespace lingua::jinja
