#include "runtime/text/jinja/template.h"

#include <fmt/format.h>

#include "runtime/base/errors.h"
#include "runtime/text/jinja/evaluator.h"
#include "runtime/text/tokenizer.h"

namespace lingua::jinja {

Template::Template(std::string_view source, std::string name) : name_(std::move(name)) {
  constexpr std::size_t kLongest = 1 << 20;
  if (source.size() > kLongest) {
    throw InputError(fmt::format("{}: has {} bytes; templates of up to {} are accepted", name_,
                                 source.size(), kLongest));
  }
  check_utf8(source, name_);
  try {
    body_ = parse(source);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", name_, error.what()));
  }
}

std::string Template::render(const Entries& variables, const std::tm& now) const {
  try {
    return Evaluator(variables, now).render(body_);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", name_, error.what()));
  }
}

}  // namespace lingua::jinja
