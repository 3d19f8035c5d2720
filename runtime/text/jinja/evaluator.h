#pragma once
// Runs a template's tree. One evaluator renders once.
//
// Scopes are Jinja's: a loop's pass, a macro's call, a block with a text have their own; "if" has
// none. Names that are not found there are functions, or undefined.

#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/text/jinja/ast.h"
#include "runtime/text/jinja/operations.h"

namespace lingua::jinja {

struct Scope {
  std::shared_ptr<Scope> parent;
  std::map<std::string, Value> variables;
};

class Evaluator {
 public:
  Evaluator(const Entries& variables, const std::tm& now);
  ~Evaluator();

  // Errors: InputError "line N: ...".
  std::string render(const Body& body);

 private:
  enum class Flow { kOn, kBreak, kContinue };
  // Counts how deep evaluation nests.
  class Deeper {
   public:
    explicit Deeper(Evaluator& evaluator);
    ~Deeper() { --evaluator_.depth_; }

   private:
    Evaluator& evaluator_;
  };
  class Inner;  // a scope for as long as it lives

  Value eval(const Expression& expression);
  Value eval_optional(const ExpressionPtr& expression);
  Value eval_dict(const Expression& expression);
  List eval_parts(const Expression& expression, std::size_t from);
  Value eval_name(const std::string& name) const;
  Value eval_comparison(const Expression& expression);
  Value eval_concatenation(const Expression& expression);
  Value eval_slice(const Expression& expression);
  // `caller` is what a call block hands to its call.
  Value eval_call(const Expression& call, const std::optional<Value>& caller = std::nullopt);
  void unpack(const Expression& call, Arguments& arguments);
  Value eval_filter(const Expression& filter, const Value& value);
  Value eval_test(const Expression& test);
  Arguments arguments_of(const Expression& call);

  Value call(const Value& callee, const Arguments& arguments);
  Value call_function(const std::string& name, const Arguments& arguments);
  Value call_macro(const Object& macro, const Arguments& arguments);
  void bind_macro(const Statement& macro, const Arguments& arguments);
  Value range(const Arguments& arguments);
  Value make_namespace(const Arguments& arguments);
  Value dict(const Arguments& arguments);
  Value cycler(const Arguments& arguments);
  Value joiner(const Arguments& arguments);
  Value made(Object::Kind kind, const std::string& name, Value self);
  Value call_object_method(const Value& self, const std::string& name, const Arguments& arguments);
  std::string time_text(const Arguments& arguments) const;

  Flow exec(const Body& body);
  Flow exec(const Statement& statement);
  Flow exec_if(const Statement& statement);
  Flow exec_for(const Statement& statement, const Value& over, std::int64_t level);
  void exec_call(const Statement& statement);
  void exec_set_block(const Statement& statement);
  Value macro_object(const Statement& statement);
  List loop_items(const Statement& statement, const Value& over);
  void assign(const Expression& target, const Value& value);
  // The text that a body writes, in a scope of its own.
  std::string capture(const Body& body);
  void write(const std::string& text);
  Value filtered(const Expression& filter, Value text);

  Budget budget_;
  std::tm now_;
  int depth_ = 0;
  int line_ = 1;
  std::string output_;
  std::shared_ptr<Scope> scope_;
  std::vector<std::shared_ptr<Scope>> captured_;   // scopes that macros were written in
  std::vector<std::shared_ptr<Object>> stateful_;  // emptied at the end: they may hold each other
};

}  // namespace lingua::jinja
