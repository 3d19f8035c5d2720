#include "runtime/cli/declare.h"

#include <CLI/CLI.hpp>
#include <type_traits>

#include "runtime/cli/terminal.h"

namespace lingua {
namespace {

std::string option_of(const std::string& name) { return "--" + name; }

template <class Number>
void check_range(const Setting& setting, CLI::Option& option) {
  if (setting.range) {
    option.check(CLI::Range(static_cast<Number>(setting.range->first),
                            static_cast<Number>(setting.range->second)));
  }
  if (setting.is_not_negative) option.check(CLI::NonNegativeNumber);
}

// The option alone, with the checks that its type has.
CLI::Option* add(CLI::App& verb, const Setting& setting) {
  const std::string word = setting.word == WordUse::kNever ? "" : setting.name;
  const std::string name = setting.word == WordUse::kOnly  ? word
                           : setting.word == WordUse::kToo ? option_of(setting.name) + "," + word
                                                           : option_of(setting.name);
  return std::visit(
      [&](const auto& field) -> CLI::Option* {
        using Field = std::decay_t<decltype(field)>;
        if constexpr (std::is_same_v<Field, bool*>) {
          return verb.add_flag(name, *field, setting.help);
        } else if constexpr (std::is_same_v<Field, Setting::Parser>) {
          auto* option = verb.add_option_function<std::string>(name, field, setting.help);
          return option->default_str(setting.default_text);
        } else if constexpr (std::is_same_v<Field, std::vector<std::string>*>) {
          auto* option = verb.add_option(name, *field, setting.help);
          return setting.takes_several ? option : option->allow_extra_args(false);
        } else {
          using Value = std::remove_pointer_t<Field>;
          auto* option = verb.add_option(name, *field, setting.help);
          if (setting.shows_default) option->capture_default_str();
          if constexpr (std::is_arithmetic_v<Value>) {
            check_range<std::conditional_t<std::is_floating_point_v<Value>, double, std::int64_t>>(
                setting, *option);
          }
          return option;
        }
      },
      setting.field);
}

}  // namespace

void OptionDeclarer::take(Setting setting) {
  setting.help = with_options(setting.help);
  CLI::Option* option = add(verb_, setting);
  option->required(setting.is_required);
  if (!setting.type.empty()) option->type_name(setting.type);
  if (!setting.choices.empty()) option->check(CLI::IsMember(setting.choices));
  if (setting.problem) option->check(setting.problem, setting.problem_kind);
  for (const std::string& other : setting.excludes)
    option->excludes(verb_.get_option(option_of(other)));
  if (!setting.needs.empty()) option->needs(verb_.get_option(option_of(setting.needs)));
}

}  // namespace lingua
