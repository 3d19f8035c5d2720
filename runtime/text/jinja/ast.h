#pragma once
// A template as a tree.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/text/jinja/value.h"

namespace lingua::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct Expression {
  enum class Kind : std::uint8_t {
    kConstant,
    kName,
    kList,
    kTuple,
    kDict,  // parts: key, value, key, value, ...
    kNot,
    kAnd,
    kOr,
    kNegative,
    kPositive,
    kBinary,  // name: + - * / // % **
    kConcatenation,
    kComparison,   // operators between the parts
    kConditional,  // parts: value, condition, otherwise or null
    kAttribute,    // name
    kItem,         // parts: value, key
    kSlice,        // parts: value, from, to, step; each of the three may be null
    kCall,         // parts: callee, arguments
    kFilter,       // name; parts: value (null: a block's text), arguments
    kTest          // name; parts: value, arguments
  };
  Kind kind = Kind::kConstant;
  int line = 1;
  int depth = 1;
  std::string name;
  Value constant;
  std::vector<ExpressionPtr> parts;
  std::vector<std::string> operators;
  std::vector<std::pair<std::string, ExpressionPtr>> keywords;
  ExpressionPtr unpacked_list;  // f(*list); null: none
  ExpressionPtr unpacked_dict;  // f(**dict)
};

struct Statement;
using Body = std::vector<Statement>;

struct Statement {
  enum class Kind : std::uint8_t {
    kText,
    kPrint,  // expression
    kIf,     // branches: condition (null: else) and body
    kFor,    // targets, expression, filter, body, otherwise
    kSet,    // targets, expression
    kSetBlock,
    kMacro,   // name, parameters, body
    kCall,    // expression: the call; parameters, body: its caller
    kFilter,  // expression: filters over the body's text
    kWith,    // parameters: names and values; body
    kScope,   // body
    kBreak,
    kContinue
  };
  Kind kind = Kind::kText;
  int line = 1;
  std::string text;  // or a name
  ExpressionPtr expression;
  ExpressionPtr target;  // a name, a tuple of targets, or an attribute of a name
  ExpressionPtr filter;
  bool recursive = false;
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  std::vector<std::pair<std::string, ExpressionPtr>> parameters;
  std::set<std::string> mentions;  // of caller, kwargs and varargs: those that a macro's body reads
  Body body;
  Body otherwise;
};

// Errors: InputError "line N: ..." for what Jinja or this interpreter does not know.
Body parse(std::string_view source);
// Filters and tests that are not known, where Jinja refuses them when it reads the template: what
// stands under a condition it refuses when that is reached. Errors: as those of parse().
void check_names(const Body& body);

}  // namespace lingua::jinja
