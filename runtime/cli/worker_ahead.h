#pragma once
// Local workers that start before it is known what they shall do, and load LibTorch while the model is read:
// real_world.h starts them, this is what they do.

#include <string>
#include <vector>

namespace lingua {

// Whether this is one, and its arguments, without the program, when they have come; none when none are to come
// any more. Errors: WorldError when LibTorch cannot be loaded.
bool is_started_ahead(int argc, char** argv);
std::vector<std::string> awaited_arguments();

}  // namespace lingua
