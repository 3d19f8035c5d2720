#pragma once
// Parts of the program that it loads when it first needs them (shared libraries that stand beside it).
//
// Threads: any. Errors: WorldError names the module and the reason.

#include <filesystem>

namespace lingua {

// The function `entry` of a module, with dlopen's flags. It is looked for beside the program, where it was
// built, and where the system looks for libraries. What is loaded stays.
void* module_entry(const std::filesystem::path& built, const char* entry, int flags);

}  // namespace lingua
