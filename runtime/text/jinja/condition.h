#pragma once
// One expression that holds or does not, as in {% if EXPRESSION %}, over variables that are known by name.
//
// Determinism: a function of the variables; nothing of the time or of chance can be named.
// Limits: as for templates (template.h). Threads: const functions may be called from several threads.
// Errors: InputError "NAME: line N: ..." for what is no expression, and for what cannot be computed of the
// variables (an order between a number and a text).

#include <set>
#include <string>
#include <string_view>

#include "runtime/text/jinja/ast.h"

namespace lingua::jinja {

class Condition {
 public:
  // `name` says where the source comes from, for messages.
  Condition(std::string_view source, std::string name);

  // The variables that it names: to check before it is asked.
  const std::set<std::string>& variables() const { return variables_; }

  // REQUIRES: the keys are texts.
  bool holds(const Entries& variables) const;

 private:
  std::string name_;
  Body body_;
  std::set<std::string> variables_;
};

}  // namespace lingua::jinja
