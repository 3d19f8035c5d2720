#include "runtime/app/version.h"

#include <fmt/format.h>

#include <string_view>

namespace lingua {

std::string version_id() {
  const ProgramVersion& version = program_version();
  if (version.commit == std::string_view("unknown")) return version.number;
  return fmt::format("{}+{}", version.number, version.commit);
}

std::string version_text() {
  const ProgramVersion& version = program_version();
  return fmt::format("lingua {} (commit {})\nLibTorch {}\nSimGrid {}\nCBC {}", version.number,
                     version.commit, version.libtorch, version.simgrid, version.cbc);
}

}  // namespace lingua
