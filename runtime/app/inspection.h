#pragma once
// A model's operations, totals, cuts and segments.
//
// Units: bytes, FLOP. Errors: those of the parts; each names its option, file and field.

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/app/audience.h"
#include "runtime/app/study.h"

namespace lingua {

struct InspectRequest {
  ModelOptions model;
  PartitionFlags partition;
  std::int64_t tokens = 11;  // new ones, of the step that is counted
  std::int64_t cached = 0;
  bool all_cuts = false;  // people are shown impossible ones too
  bool json = false;
};

// What `inspect` takes.
void visit_inspection(InspectRequest& request, SettingVisitor& visitor);

struct Inspection {
  Study study;
  Step step;
  std::vector<Cut> cuts;
};

Inspection inspect(const InspectRequest& request, const Audience& audience);
nlohmann::json inspection_json(const Inspection& inspection);

struct KindTotals {
  std::int64_t nodes = 0;
  double flops = 0;
  double bytes = 0;  // moved
};
std::map<std::string, KindTotals> totals_by_kind(const Graph& graph, const Step& step);
// Of all states, for so many tokens.
double state_bytes(const Graph& graph, std::int64_t capacity);
// Of all segments, a weight that several hold counted once.
double weights_bytes(const Segmentation& segmentation);

}  // namespace lingua
