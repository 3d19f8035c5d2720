#include "runtime/app/results.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>
#include <map>

#include "runtime/app/answer_text.h"
#include "runtime/app/balancing.h"
#include "runtime/app/int8_choice.h"
#include "runtime/app/recovering.h"
#include "runtime/app/spares_report.h"
#include "runtime/app/tensor_files.h"
#include "runtime/app/version.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/device/roofline.h"
#include "runtime/events/report.h"
#include "runtime/events/timeline.h"
#include "runtime/plan/plan.h"
#include "runtime/report/plan_table.h"
#include "runtime/report/secondary_report.h"
#include "runtime/report/spread_report.h"

namespace lingua {
namespace {

// A digest of a pass's outputs, so that runs can be compared without printing tensors.
std::string outputs_digest(const std::vector<Tensor>& outputs) {
  Checksum sum;
  for (const Tensor& tensor : outputs) {
    sum.update(tensor.shape.data(), tensor.shape.size() * sizeof(std::int64_t));
    if (tensor.has_data()) sum.update(tensor.data.get(), static_cast<std::size_t>(tensor.bytes()));
  }
  return fmt::format("{:016x}", sum.value());
}

// What a single pass gave: outputs, and what a classifier says by them.
nlohmann::json pass_json(const Done& answer, const Study& study) {
  nlohmann::json json = {{"outputs", nlohmann::json::array()}};
  bool has_data = true;
  for (const Tensor& tensor : answer.outputs) {
    json["outputs"].push_back({{"dtype", dtype_name(tensor.dtype)}, {"shape", tensor.shape}});
    has_data = has_data && tensor.has_data();
  }
  json["outputs_digest"] =
      has_data ? nlohmann::json(outputs_digest(answer.outputs)) : nlohmann::json();
  if (!study.model.labels.empty() && has_data) {
    json.update(class_json(answer.outputs.at(0), study.model));
  }
  return json;
}

// Beside what the event log says of each request. The log may lack one; its answer is there.
void add_answers(nlohmann::json& requests, const RunResult& result, const Study& study) {
  std::map<RequestId, nlohmann::json> by_id;
  for (nlohmann::json& request : requests) {
    const RequestId id = request["request"];
    by_id.emplace(id, std::move(request));
  }
  requests = nlohmann::json::array();
  for (const Done& answer : result.answers) {
    nlohmann::json request = std::move(by_id[answer.request]);
    request["request"] = answer.request;
    request.update(answer_json(answer, study));
    requests.push_back(std::move(request));
  }
}

nlohmann::json scheduling_json(const Scheduling& scheduling) {
  constexpr const char* kNames[] = {"fifo", "decode-first", "shortest-first"};
  nlohmann::json json = {{"policy", kNames[static_cast<std::size_t>(scheduling.policy)]},
                         {"max_batch", scheduling.max_batch}};
  if (scheduling.max_batch == kAutoBatch) json["max_batch"] = "auto";
  if (scheduling.chunk == kAutoChunk) json["chunk"] = "auto";
  if (scheduling.chunk > 0) json["chunk"] = scheduling.chunk;
  return json;
}

nlohmann::json communication_json(const Communication& communication) {
  constexpr const char* kWires[] = {"fp32", "bf16", "int8"};
  const bool is_direct = communication.residuals == ResidualPath::kDirect;
  return {{"wire", kWires[static_cast<std::size_t>(communication.wire)]},
          {"residuals", is_direct ? "direct" : "relay"},
          {"share_frames", communication.share_frames}};
}

}  // namespace

std::string run_title(const RunWorld& world, const Study& study) {
  return fmt::format("{} on {} ({})", study.segmentation.model, study.cluster.name, world.name);
}

Metrics metrics_of(const StudyOptions& options, const Study& study, const RunResult& result) {
  Metrics metrics = with_energy(result.metrics, study.cluster);
  const std::string& slo = options.output.slo;
  if (!slo.empty()) metrics.goodput = goodput_of(metrics, parse_slo(slo));
  return metrics;
}

nlohmann::json run_json(const RunWorld& world, const StudyOptions& options, const Study& study,
                        const RunResult& result, const nlohmann::json& extra) {
  nlohmann::json json = summary_json(metrics_of(options, study, result));
  json["version"] = version_id();
  json["world"] = world.name;
  json["model"] = study.segmentation.model;
  json["cluster"] = study.cluster.name;
  json["rule"] = study.segmentation.rule;
  json["deployment_s"] = result.deployment.count();
  json["segments"] = study.segmentation.segments.size();
  json["seed"] = options.workload.seed;
  json["workload"] = {{"prompt_tokens", study.workload.prompt_tokens},
                      {"max_tokens", study.workload.max_tokens},
                      {"kv_cache", study.workload.kv_cache},
                      {"requests", result.answers.size()},
                      {"in_flight", study.workload.in_flight}};
  if (const Scheduling& scheduling = study.workload.scheduling; scheduling != Scheduling{})
    json["workload"].update(scheduling_json(scheduling));
  if (const Communication& communication = study.workload.communication;
      communication != Communication{}) {
    json["workload"].update(communication_json(communication));
  }
  if (study.workload.is_mixed()) {
    json["workload"]["prompt_lengths"] = study.workload.prompt_lengths;
  }
  json["plan"] = plan_to_json(study.plan);
  json.update(plan_extras_json(study));
  if (!result.recoveries.empty()) json["recoveries"] = recoveries_json(result.recoveries);
  if (!result.joins.empty()) json["joins"] = joins_json(result.joins);
  if (!result.moves.empty()) json["moves"] = moves_json(result.moves);
  if (world.deterministic) json["digest"] = result.digest;
  if (!world.configuration.empty()) json["simulator"] = world.configuration;
  add_answers(json["requests"], result, study);
  if (!extra.is_null()) json.update(extra);
  return json;
}

nlohmann::json answer_json(const Done& answer, const Study& study) {
  nlohmann::json json = nlohmann::json::object();
  if (study.workload.max_tokens == 0) json = pass_json(answer, study);
  const AnswerText made =
      answer_text(study.tokenizer.get(), study.stop_strings, study.stop_tokens, answer.tokens);
  json["tokens"] = nlohmann::json::array();
  for (TokenId token : made.tokens) {
    json["tokens"].push_back(token == kNoToken ? nlohmann::json() : nlohmann::json(token));
  }
  if (study.workload.max_tokens > 0) json["finish"] = made.stopped ? "stop" : "length";
  if (!study.prompt_texts.empty()) {
    const auto index = static_cast<std::size_t>(answer.request) % study.prompt_texts.size();
    json["prompt"] = study.prompt_texts[index];
  }
  if (study.tokenizer && study.workload.max_tokens > 0) json["text"] = made.text;
  return json;
}

nlohmann::json class_json(const Tensor& logits, const ImportedModel& model) {
  const std::vector<double> scores = class_scores(logits, model.class_score);
  const std::vector<std::string>& labels = model.labels;
  LINGUA_CHECK(scores.size() == labels.size(), "{} classes, {} labels", scores.size(),
               labels.size());
  nlohmann::json json = {{"scores", nlohmann::json::object()}};
  for (std::size_t i = 0; i < labels.size(); ++i) json["scores"][labels[i]] = scores[i];
  const auto best = std::max_element(scores.begin(), scores.end());
  json["label"] = labels[static_cast<std::size_t>(best - scores.begin())];
  if (model.class_score != ClassScore::kEach) return json;
  json["labels"] = nlohmann::json::array();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (scores[i] > 0.5) json["labels"].push_back(labels[i]);
  }
  return json;
}

namespace {

// For how many hours of the planned work each battery of the plan lasts, where that is known.
std::map<DeviceName, double> batteries_of(const Study& study) {
  const Estimate& estimate = study.plan.estimate;
  double per_request_j = 0;
  for (const StageEstimate& stage : estimate.stages) per_request_j += stage.energy_j;
  std::map<DeviceName, double> watts;
  for (const StageEstimate& stage : estimate.stages) {
    if (stage.energy_j == 0) continue;
    watts[stage.device] +=
        stage.energy_j / per_request_j * estimate.energy_per_token_j * estimate.tokens_per_s;
  }
  std::map<DeviceName, double> hours;
  for (const auto& [name, drawn] : watts) {
    if (study.cluster.index_of(name) < 0 || drawn == 0) continue;
    const DeviceSpec& device = study.cluster.device(name);
    if (device.battery_j > 0) hours[name] = battery_hours(device, drawn);
  }
  return hours;
}

// Of the plan, those that other devices reach through the coordinator.
std::vector<DeviceName> relayed_of(const Study& study) {
  std::vector<DeviceName> relayed;
  for (const DeviceName& name : study.plan.devices()) {
    if (study.cluster.device(name).relayed) relayed.push_back(name);
  }
  return relayed;
}

std::string relayed_line(const Study& study) {
  const std::vector<DeviceName> relayed = relayed_of(study);
  if (relayed.empty()) return "";
  return fmt::format("through the coordinator, in two hops: what other devices send to {}\n",
                     fmt::join(relayed, ", "));
}

}  // namespace

std::string plan_text(const Study& study) {
  Plan named = study.plan;
  if (!study.dtype().empty()) named.model += " in " + study.dtype();
  std::string text = plan_table(named, study.segmentation, study.workload) +
                     battery_line(batteries_of(study)) + relayed_line(study) + int8_line(study);
  if (study.spread) text += spread_line(*study.spread, "estimated");
  if (study.secondary) text += secondary_table(*study.secondary, study.plan);
  if (study.spares) text += spares_text(*study.spares, study.segmentation);
  return text;
}

nlohmann::json plan_extras_json(const Study& study) {
  nlohmann::json json = nlohmann::json::object();
  if (!study.dtype().empty()) json["dtype"] = study.dtype();
  if (!study.int8_segments.empty()) json["int8_segments"] = study.int8_segments;
  if (const auto relayed = relayed_of(study); !relayed.empty()) json["relayed"] = relayed;
  if (const auto hours = shortest(batteries_of(study))) json["estimated_battery_h"] = *hours;
  if (study.spread) json["spread"] = spread_to_json(*study.spread);
  if (study.secondary) json["secondary"] = secondary_to_json(*study.secondary, study.plan);
  if (study.spares) json["spares"] = spares_json(*study.spares);
  return json;
}

std::string int8_line(const Study& study) {
  if (study.int8_segments.empty()) return "";
  return fmt::format("int8: segments {} of {}\n", segment_ranges(study.int8_segments),
                     study.segmentation.segments.size());
}

void write_results(const OutputOptions& output, const EventLog& log, const std::string& title,
                   const std::vector<std::function<void()>>& first, const Audience& audience) {
  std::exception_ptr failure;
  const auto attempt = [&failure](const std::function<void()>& work) {
    try {
      work();
    } catch (const Error&) {
      if (!failure) failure = std::current_exception();
    }
  };
  for (const auto& work : first) attempt(work);
  if (!output.log.empty()) {
    attempt([&] {
      write_event_log(log, output.log);
      if (!output.json) audience.tell("event log: {}\n", output.log);
    });
  }
  if (!output.timeline.empty()) {
    attempt([&] {
      write_timeline(log, title, output.timeline);
      if (!output.json)
        audience.tell("timeline: {} (open it at ui.perfetto.dev)\n", output.timeline);
    });
  }
  if (failure) std::rethrow_exception(failure);
}

std::function<void()> outputs_writer(const OutputOptions& output, const std::vector<Done>& answers,
                                     const Audience& audience) {
  return [&output, &answers, audience] {
    if (output.output_file.empty()) return;
    write_outputs(output.output_file, answers);
    if (!output.json) audience.tell("outputs: {}\n", output.output_file);
  };
}

}  // namespace lingua
