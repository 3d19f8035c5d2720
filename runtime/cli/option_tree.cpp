#include "runtime/cli/option_tree.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>
#include <string_view>

#include "runtime/app/setting.h"

namespace lingua {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);) parts.push_back(part);
  return parts;
}

// Words to write as they are; names of values have capitals.
bool is_literal(const std::string& text) {
  return !text.empty() && std::none_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || c == '[' || c == '{';
  });
}

// CLI11 tells what a value may be as "TEXT:{last,all}", and the names of ours are "TOKENS|auto".
std::vector<std::string> choices_in(const std::string& value, const std::string& checks) {
  std::vector<std::string> choices;
  const auto begin = checks.find('{');
  const auto end = checks.find('}');
  if (begin != checks.npos && end != checks.npos && begin < end)
    choices = split(checks.substr(begin + 1, end - begin - 1), ',');
  for (const std::string& part : split(value, '|'))
    if (is_literal(part)) choices.push_back(part);
  return choices;
}

bool names_a_path(const std::string& value) {
  for (const std::string& part : split(value, '|'))
    if (part == kInputPath || part == kOutputFile || part == kOutputFolder) return true;
  return false;
}

OptionFacts facts_of(const CLI::Option& option) {
  OptionFacts facts;
  for (const std::string& name : option.get_snames()) facts.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) facts.names.push_back("--" + name);
  if (option.get_positional()) facts.word = option.get_name(true);
  if (option.get_items_expected_max() > 0) {
    const std::string type = option.get_type_name();
    facts.value = type.substr(0, type.find(':'));
    facts.choices = choices_in(facts.value, type.substr(facts.value.size()));
    facts.is_path = names_a_path(facts.value);
    facts.default_text = option.get_default_str();
  }
  facts.is_required = option.get_required();
  facts.is_repeated = option.get_items_expected_max() > 1;
  facts.help = option.get_description();
  return facts;
}

void add_verbs(const CLI::App& app, const std::string& path, std::vector<VerbFacts>& all) {
  VerbFacts facts;
  facts.path = path;
  facts.help = app.get_description();
  for (const CLI::Option* option : app.get_options()) {
    if (option != app.get_help_ptr()) facts.options.push_back(facts_of(*option));
  }
  const auto below = app.get_subcommands(
      [](const CLI::App* verb) { return !verb->get_group().empty() && !verb->get_name().empty(); });
  for (const CLI::App* verb : below) facts.verbs.push_back(verb->get_name());
  all.push_back(std::move(facts));
  for (const CLI::App* verb : below)
    add_verbs(*verb, path.empty() ? verb->get_name() : path + " " + verb->get_name(), all);
}

}  // namespace

std::vector<VerbFacts> verbs_of(const CLI::App& app) {
  std::vector<VerbFacts> all;
  add_verbs(app, "", all);
  return all;
}

}  // namespace lingua
