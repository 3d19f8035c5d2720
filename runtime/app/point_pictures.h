#pragma once
// Points of a sweep as pictures: what each device runs, and when it did what. A row does not keep that, so that the
// point runs again.
//
// Determinism: the same point gives the same pictures. Threads: one at a time, the one that forks.
// Errors: InputError for a point that is none or has no row; what becomes of a run is data.

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/report/result_table.h"

namespace lingua {

struct PointPictures {
  std::int64_t number = 0;
  std::vector<TitledPicture> pictures = {};
  std::string why_not = {};  // where it did not run again
};

// Each in a process of its own. `which`: numbers, or as much of an id as tells it apart.
std::vector<PointPictures> pictures_of_points(const std::filesystem::path& database,
                                              const std::vector<std::string>& which);

// The row that has most of the first result: its number. -1 where no row has one.
std::int64_t best_point(const ResultTable& table);

}  // namespace lingua
