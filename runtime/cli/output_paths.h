#pragma once
// What a command reads and writes, checked before any work begins.
//
// An option that names a file or folder says so by its type name; check_paths looks at all of a
// verb's. Errors: InputError or UsageError that name the option and the path.

#include "runtime/app/setting.h"

namespace CLI {
class App;
}

namespace lingua {

// Refuses outputs that cannot be written, that are given twice, or that would replace an input.
void check_paths(const CLI::App& verb);

// check_paths whenever a verb has been parsed, before its callback.
void check_paths_of_all_verbs(CLI::App& app);

}  // namespace lingua
