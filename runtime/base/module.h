#pragma once
// Parts of the program, or of the library liblingua.so, that it loads when it first needs them: shared libraries that
// stand beside it, or where they are installed.
//
// Threads: any. Errors: WorldError names the module and the reason.

#include <filesystem>

namespace lingua {

// The program or shared library that this code is part of.
std::filesystem::path own_file();

// Where a module is, which was built as `built`: beside the program or library that this is part of, where it is
// installed with that, or where it was built; only its name, for the system to look for, where none of these is.
std::filesystem::path module_path(const std::filesystem::path& built);

// What is in the library that this code is part of can be taken by all modules that are loaded from now on, whoever has
// loaded the library. What is in a program they can take anyway.
void show_to_modules();

// The function `entry` of a module, with dlopen's flags. What is loaded stays. A module may take what it needs from
// the program or library that loads it.
void* module_entry(const std::filesystem::path& built, const char* entry, int flags);

}  // namespace lingua
