#pragma once
// What the verbs of a program take, as values: for shell completion and the manual page.
//
// Hidden verbs (without a group) and --help are left out. Order: as they are declared, each verb before those below it.

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lingua {

struct OptionFacts {
  std::vector<std::string> names;  // with dashes; empty: it is a word alone
  std::string word;                // its name where it may stand without an option
  std::string value;               // what a value is called: "INT"; empty: a flag
  std::vector<std::string> choices;
  bool is_path = false;
  bool is_required = false;
  bool is_repeated = false;
  std::string default_text;
  std::string help;
};

struct VerbFacts {
  std::string path;  // "sweep run"; empty: the program itself
  std::string help;
  std::vector<std::string> verbs;  // below it
  std::vector<OptionFacts> options;
};

std::vector<VerbFacts> verbs_of(const CLI::App& app);

}  // namespace lingua
