#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/plan/plan.h"

namespace lingua {
namespace {

using nlohmann::json;

// A JSON value and where it stands, for messages: "FILE: stages[2].device".
class Field {
 public:
  Field(const json& value, std::string origin, std::string path)
      : value_(value), origin_(std::move(origin)), path_(std::move(path)) {}

  bool has(const char* key) const {
    if (!value_.is_object()) fail("an object");
    return value_.contains(key);
  }

  // Refuses fields of other names.
  void allow(const std::vector<std::string>& keys) const {
    if (!value_.is_object()) fail("an object");
    for (const auto& item : value_.items()) {
      if (std::find(keys.begin(), keys.end(), item.key()) != keys.end()) continue;
      throw InputError(fmt::format("{}: field '{}' is not known; write {}", where(), item.key(),
                                   fmt::join(keys, ", ")));
    }
  }

  Field at(const char* key) const {
    if (!has(key)) throw InputError(fmt::format("{}: field '{}' is missing", where(), key));
    const auto found = value_.find(key);
    return {*found, origin_, fmt::format("{}{}{}", path_, path_.empty() ? "" : ".", key)};
  }

  std::vector<Field> items() const {
    if (!value_.is_array()) fail("an array");
    std::vector<Field> fields;
    fields.reserve(value_.size());
    for (std::size_t i = 0; i < value_.size(); ++i) {
      fields.emplace_back(value_[i], origin_, fmt::format("{}[{}]", path_, i));
    }
    return fields;
  }

  std::string text() const {
    if (!value_.is_string()) fail("a string");
    return value_.get<std::string>();
  }

  bool flag() const {
    if (!value_.is_boolean()) fail("true or false");
    return value_.get<bool>();
  }

  double number() const {
    if (!value_.is_number() || !std::isfinite(value_.get<double>())) fail("a finite number");
    return value_.get<double>();
  }

  double non_negative() const {
    if (!value_.is_number() || !(number() >= 0)) fail("a number of at least 0");
    return number();
  }

  std::int32_t id() const {
    constexpr auto kLargest = std::numeric_limits<std::int32_t>::max();
    const bool whole = value_.is_number_integer();
    if (!whole || value_.get<double>() < 0 || value_.get<double>() > kLargest) {
      fail("a whole number of at least 0");
    }
    return static_cast<std::int32_t>(value_.get<std::int64_t>());
  }

  StepFunction step_function() const {
    const std::vector<Field> fields = items();
    std::array<double, 6> coefficients{};
    if (fields.size() != coefficients.size()) fail("an array of six numbers");
    for (std::size_t i = 0; i < fields.size(); ++i) coefficients[i] = fields[i].number();
    return StepFunction(coefficients);
  }

  [[noreturn]] void fail(const std::string& accepted) const {
    std::string shown = value_.dump(-1, ' ', true, json::error_handler_t::replace);
    if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
    throw InputError(fmt::format("{}: {} is not accepted; write {}", where(), shown, accepted));
  }

 private:
  std::string where() const { return path_.empty() ? origin_ : origin_ + ": " + path_; }

  const json& value_;
  std::string origin_;
  std::string path_;
};

json to_json(const Stage& stage) {
  return {{"device", stage.device},
          {"first_segment", stage.first_segment},
          {"last_segment", stage.last_segment},
          {"stored_segments", stage.stored_segments}};
}

json to_json(const Keeper& keeper) {
  return {{"device", keeper.device}, {"stored_segments", keeper.stored_segments}};
}

json to_json(const Transfer& transfer) {
  return {{"value", transfer.value},
          {"from", transfer.from},
          {"to", transfer.to},
          {"residual", transfer.residual},
          {"bytes", transfer.bytes.coefficients()}};
}

json to_json(const StageEstimate& row) {
  return {{"device", row.device},
          {"compute_s", row.compute_s},
          {"transfer_s", row.transfer_s},
          {"energy_j", row.energy_j},
          {"weights_bytes", row.weights_bytes},
          {"state_bytes", row.state_bytes},
          {"activation_bytes", row.activation_bytes},
          {"memory_bytes", row.memory_bytes}};
}

json to_json(const Estimate& estimate) {
  json stages = json::array();
  for (const StageEstimate& row : estimate.stages) stages.push_back(to_json(row));
  return {{"latency_s", estimate.latency_s},
          {"ttft_s", estimate.ttft_s},
          {"tpot_s", estimate.tpot_s},
          {"tokens_per_s", estimate.tokens_per_s},
          {"tokens_per_s_error", estimate.tokens_per_s_error},
          {"energy_per_token_j", estimate.energy_per_token_j},
          {"bottleneck_s", estimate.bottleneck_s},
          {"bottleneck", estimate.bottleneck},
          {"stages", std::move(stages)}};
}

json to_json(const SegmentationMark& mark) {
  return {{"rule", mark.rule}, {"segments", mark.segments}, {"digest", mark.digest}};
}

SegmentationMark read_mark(const Field& field) {
  field.allow({"rule", "segments", "digest"});
  return {field.at("rule").text(), field.at("segments").id(), field.at("digest").text()};
}

std::vector<SegmentId> read_ids(const Field& field) {
  std::vector<SegmentId> ids;
  for (const Field& id : field.items()) ids.push_back(id.id());
  return ids;
}

Stage read_stage(const Field& field) {
  field.allow({"device", "first_segment", "last_segment", "stored_segments"});
  Stage stage;
  stage.device = field.at("device").text();
  stage.first_segment = field.at("first_segment").id();
  stage.last_segment = field.at("last_segment").id();
  if (field.has("stored_segments")) stage.stored_segments = read_ids(field.at("stored_segments"));
  return stage;
}

Keeper read_keeper(const Field& field) {
  field.allow({"device", "stored_segments"});
  return {field.at("device").text(), read_ids(field.at("stored_segments"))};
}

Transfer read_transfer(const Field& field) {
  Transfer transfer;
  transfer.value = field.at("value").id();
  transfer.from = field.at("from").text();
  transfer.to = field.at("to").text();
  transfer.residual = field.at("residual").flag();
  transfer.bytes = field.at("bytes").step_function();
  return transfer;
}

Estimate read_estimate(const Field& field) {
  Estimate estimate;
  estimate.latency_s = field.at("latency_s").non_negative();
  estimate.ttft_s = field.at("ttft_s").non_negative();
  estimate.tpot_s = field.at("tpot_s").non_negative();
  estimate.tokens_per_s = field.at("tokens_per_s").non_negative();
  estimate.tokens_per_s_error = field.at("tokens_per_s_error").non_negative();
  estimate.energy_per_token_j = field.at("energy_per_token_j").non_negative();
  estimate.bottleneck_s = field.at("bottleneck_s").non_negative();
  estimate.bottleneck = field.at("bottleneck").text();
  for (const Field& row : field.at("stages").items()) {
    StageEstimate stage;
    stage.device = row.at("device").text();
    stage.compute_s = row.at("compute_s").non_negative();
    stage.transfer_s = row.at("transfer_s").non_negative();
    stage.energy_j = row.at("energy_j").non_negative();
    stage.weights_bytes = row.at("weights_bytes").non_negative();
    stage.state_bytes = row.at("state_bytes").non_negative();
    stage.activation_bytes = row.at("activation_bytes").non_negative();
    stage.memory_bytes = row.at("memory_bytes").non_negative();
    estimate.stages.push_back(std::move(stage));
  }
  return estimate;
}

Objective read_objective(const Field& field) {
  try {
    return parse_objective(field.text());
  } catch (const UsageError&) {
    field.fail("latency, ttft, tpot, throughput, energy or a weighted sum of them");
  }
}

Optimality read_optimality(const Field& field) {
  const std::string name = field.text();
  for (Optimality optimality :
       {Optimality::kOptimal, Optimality::kFeasible, Optimality::kHeuristic}) {
    if (name == optimality_name(optimality)) return optimality;
  }
  field.fail("optimal, feasible or heuristic");
}

}  // namespace

json plan_to_json(const Plan& plan) {
  json stages = json::array();
  for (const Stage& stage : plan.stages) stages.push_back(to_json(stage));
  json transfers = json::array();
  for (const Transfer& transfer : plan.transfers) transfers.push_back(to_json(transfer));
  json result = {{"model", plan.model},
                 {"segmentation", to_json(plan.segmentation)},
                 {"cluster", plan.cluster},
                 {"planner", plan.planner},
                 {"objective", objective_name(plan.objective)},
                 {"stages", std::move(stages)},
                 {"transfers", std::move(transfers)},
                 {"estimate", to_json(plan.estimate)},
                 {"optimality", optimality_name(plan.optimality)},
                 {"gap", plan.gap},
                 {"planning_s", plan.planning_s}};
  for (const Keeper& keeper : plan.keepers) result["keepers"].push_back(to_json(keeper));
  return result;
}

Plan plan_from_json(const json& root_json, const std::string& origin) {
  const Field root(root_json, origin, "");
  Plan plan;
  for (const Field& stage : root.at("stages").items()) plan.stages.push_back(read_stage(stage));
  if (plan.stages.empty()) root.at("stages").fail("at least one stage");
  const auto given = [&](const char* key, const auto& read) {
    if (root.has(key)) read(root.at(key));
  };
  given("model", [&](const Field& field) { plan.model = field.text(); });
  given("segmentation", [&](const Field& field) { plan.segmentation = read_mark(field); });
  given("cluster", [&](const Field& field) { plan.cluster = field.text(); });
  given("planner", [&](const Field& field) { plan.planner = field.text(); });
  given("objective", [&](const Field& field) { plan.objective = read_objective(field); });
  given("keepers", [&](const Field& field) {
    for (const Field& keeper : field.items()) plan.keepers.push_back(read_keeper(keeper));
  });
  given("transfers", [&](const Field& field) {
    for (const Field& transfer : field.items()) plan.transfers.push_back(read_transfer(transfer));
  });
  given("estimate", [&](const Field& field) { plan.estimate = read_estimate(field); });
  given("optimality", [&](const Field& field) { plan.optimality = read_optimality(field); });
  given("gap", [&](const Field& field) { plan.gap = field.non_negative(); });
  given("planning_s", [&](const Field& field) { plan.planning_s = field.non_negative(); });
  return plan;
}

}  // namespace lingua
