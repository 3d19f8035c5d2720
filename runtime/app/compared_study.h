#pragma once
// What a published comparison is and how it is made again: a folder with study.yaml and the sweeps that it runs.
//
//   question: What does the optimised assignment gain, one request in flight?
//   published:                     # optional: ours stands alone without it
//     what: speed-up of the optimised assignment, single-threaded
//     range: [1.11, 1.61]          # or grows_with: COLUMN, where a claim has no figures
//     source: arXiv 2312.00388, abstract
//   result: tokens_per_s           # of which more is better
//   groups:                        # optional: kinds of a column's values, as a shell matches file names
//     wifi: {of: cluster, kinds: {good: "drawn:*:good", crowded: "*"}}
//   by: [model, wifi]              # columns and groups by whose values the ratios are told apart
//   comparisons:                   # the first is the nearest reading of what is published
//     - name: published plan over even shares
//       arm: published             # published, ours or field
//       of: {planner: lingualinked-published}
//       over: {planner: even}
//
// The sweep is sweep.yaml, and quick.yaml of some of its points (runtime/sweep/README.md).
// Errors: InputError "FILE: FIELD: what is wrong; what is accepted".

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/app/compared_points.h"

namespace lingua {

struct PublishedClaim {
  std::string what = {};
  std::string source = {};
  std::optional<RatioRange> range = {};
  std::string grows_with = {};  // a column, or empty
};

struct ComparedStudy {
  std::string name = {};  // that of its folder
  std::string question = {};
  std::optional<PublishedClaim> published = {};
  std::string result = {};
  std::vector<ColumnGroups> groups = {};
  std::vector<std::string> by = {};
  std::vector<Comparison> comparisons = {};

  std::optional<RatioRange> range() const;
};

ComparedStudy load_study(const std::filesystem::path& folder);
ComparedStudy parse_study(const std::string& yaml, const std::string& origin);

}  // namespace lingua
