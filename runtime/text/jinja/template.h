#pragma once
// Chat templates: the part of Jinja that they use, set up as transformers sets it up (trim_blocks,
// lstrip_blocks, loop controls, the sandbox that changes nothing, its own tojson, raise_exception,
// strftime_now, {% generation %}).
//
// Source: jinja2 3.1 and transformers 4.57 (utils/chat_template_utils.py), with whose answers
// tests/text/golden compares.
// Determinism: the text depends on the template, the variables and `now` only.
// Limits: source of 1 MB, about 2 million steps or 128 MB, values 64 deep.
// Errors: InputError "NAME: line N: ..." for what Jinja refuses, what is not known here, a limit that
// is reached, and where the template itself refuses the conversation (raise_exception).
// Threads: const functions may be called from several threads.

#include <ctime>
#include <string>
#include <string_view>

#include "runtime/text/jinja/ast.h"

namespace lingua::jinja {

inline constexpr std::int64_t kMostText = 128LL << 20;

class Template {
 public:
  // `name` says where the source comes from, for messages.
  Template(std::string_view source, std::string name);

  // REQUIRES: the keys are texts.
  std::string render(const Entries& variables, const std::tm& now) const;
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  Body body_;
};

}  // namespace lingua::jinja
