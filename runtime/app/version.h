#pragma once
// Which program this is, and which libraries it was built with. Written anew by each build (write_version.cmake), into
// a file of its own, so that a commit compiles that one only.

#include <string>

namespace lingua {

struct ProgramVersion {
  const char* number = "";  // "0.4"
  // The first 12 digits, with "+changes" where files are not as they were committed; "unknown" without git.
  const char* commit = "";
  const char* commit_date = "";  // "2026-03-09"; that of a file of the sources without git
  // "none": built without it.
  const char* libtorch = "";
  const char* simgrid = "";
  const char* cbc = "";
};

const ProgramVersion& program_version();

// "0.4+0123456789ab", as results and the rows of sweeps have it; "0.4" without git.
std::string version_id();

// What `lingua --version` prints: a line for the program, and one for each library.
std::string version_text();

}  // namespace lingua
