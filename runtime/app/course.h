#pragma once
// What comes to modelled devices as a run goes on: what they give, and who is lost and joins.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/app/setting.h"
#include "runtime/supply/supply.h"

namespace lingua {

struct CourseOptions {
  std::string supply;
  std::vector<std::string> losses;  // "DEVICE:TIME"
  std::vector<std::string> joins;
};
void visit_course(CourseOptions& options, SettingVisitor& visitor);

// All of it as one supply. A device that joins without having been lost before is absent until then.
// Errors: UsageError and, of a file, InputError, which name the option, the value and what would be accepted.
SupplyTrace course_of(const CourseOptions& options, const ClusterSpec& cluster, std::uint64_t seed);

}  // namespace lingua
