#pragma once
// What is installed beside the program, made from what its verbs take: completion for bash, and the manual page.

#include <string>
#include <vector>

#include "runtime/cli/option_tree.h"

namespace lingua {

// A script to source: verbs, options, and of their values names and files.
std::string bash_completion(const std::vector<VerbFacts>& verbs);

// In the macros of man(7). `version`: "lingua 0.4"; `date`: of it, as "2026-03-09"; `exit_codes`: a text of several
// lines. REQUIRES: verbs[0] is the program.
std::string manual_page(const std::vector<VerbFacts>& verbs, const std::string& version,
                        const std::string& date, const std::string& exit_codes);

}  // namespace lingua
