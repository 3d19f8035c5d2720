#pragma once
// The files of page/ and uplot/ as they are in the program; made by embed.cmake.

#include <string_view>

namespace lingua {

// By its name: "page.html". REQUIRES: it is there.
std::string_view page_file(std::string_view name);

}  // namespace lingua
