#include "runtime/app/sweeping.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "runtime/app/json_settings.h"
#include "runtime/app/model_shelf.h"
#include "runtime/app/planning.h"
#include "runtime/app/simulation.h"
#include "runtime/base/plain_text.h"
#include "runtime/sweep/file_digests.h"

namespace lingua {
namespace {

using nlohmann::json;

constexpr const char* kPlan = "plan";  // what else a point may be than a simulation

bool names_a_file(const Setting& setting) {
  return setting.type.starts_with(kInputPath) || setting.type.starts_with("FILE|");
}

bool is_of_no_point(const Setting& setting) {
  static const std::set<std::string> said = {"json", "explain"};
  return setting.type == kOutputFile || setting.type == kOutputFolder ||
         said.count(setting.name) > 0;
}

// The settings of a point, and which of them name files that are read.
class Settings : public SettingVisitor {
 public:
  explicit Settings(const std::string& what) {
    if (what == kPlan) {
      PlanningRequest request;
      visit_planning(request, *this);
    } else {
      SimulationRequest request;
      visit_simulation(request, *this);
    }
  }

  void take(Setting setting) override {
    if (is_of_no_point(setting)) return;
    names.push_back(setting.name);
    if (names_a_file(setting)) files.insert(setting.name);
  }

  std::vector<std::string> names;
  std::set<std::string> files;
};

const Settings& settings_of_points(const std::string& what) {
  static std::map<std::string, Settings> known;
  return known.try_emplace(what, what).first->second;
}

std::string check(const std::string& what, const std::string& name) {
  const std::vector<std::string>& names = settings_of_points(what).names;
  for (const std::string& one : names)
    if (one == name) return "";
  const std::vector<std::string> near = names_like(name, names);
  if (!near.empty()) return fmt::format("{}", fmt::join(near, ", "));
  return fmt::format("those that `lingua {} --help` lists, but for files to write", what);
}

// The path in a value, which may be one of several things: "FILE", "NAME=FILE", or no file at all.
std::filesystem::path path_in(const std::string& value) {
  std::error_code error;
  if (std::filesystem::exists(value, error)) return value;
  const auto equals = value.find('=');
  if (equals == std::string::npos) return {};
  std::filesystem::path path = value.substr(equals + 1);
  return std::filesystem::exists(path, error) ? path : std::filesystem::path();
}

// A digest for each file that is named: {"cluster": "1f..."}. One that is not there is the point's failure.
json digests_of(const json& settings, FileDigests& digests) {
  static const Settings& both = settings_of_points("simulate");  // and more than plan takes
  json resolved = json::object();
  for (const auto& [name, value] : settings.items()) {
    if (both.files.count(name) == 0) continue;
    for (const json& item : value.is_array() ? value : json::array({value})) {
      const auto path = item.is_string() ? path_in(item.get<std::string>()) : "";
      if (!path.empty()) resolved[name].push_back(digests.of(path));
    }
  }
  return resolved;
}

// Takes out what planning took on this machine's clock, wherever it stands.
void forget_clock(json& result) {
  if (result.is_object()) result.erase("planning_s");
  if (result.is_structured())
    for (json& part : result) forget_clock(part);
}

json evaluate(const std::string& what, const json& settings, ModelShelf& shelf) {
  if (what == kPlan) {
    auto request = request_of<PlanningRequest>(settings, visit_planning);
    request.study.model.shelf = &shelf;
    json result = plan_json(request, {});
    forget_clock(result);
    return result;
  }
  auto request = request_of<SimulationRequest>(settings, visit_simulation);
  request.study.model.shelf = &shelf;
  json result = simulate_json(request, {});
  forget_clock(result);
  return result;
}

void prepare(const std::string& what, const json& settings, ModelShelf& shelf) {
  const StudyOptions study = what == kPlan
                                 ? request_of<PlanningRequest>(settings, visit_planning).study
                                 : request_of<SimulationRequest>(settings, visit_simulation).study;
  shelf.put(study.model.model, import_options(study.model, study.partition));
}

std::string word_of(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

SweepTools sweep_tools(const std::string& version) {
  const auto digests = std::make_shared<FileDigests>();
  SweepTools tools;
  tools.check = check;
  tools.resolve = [digests](const json& settings) { return digests_of(settings, *digests); };
  const auto shelf = std::make_shared<ModelShelf>();
  tools.prepare = [shelf](const std::string& what, const json& settings) {
    prepare(what, settings, *shelf);
  };
  tools.evaluate = [shelf](const std::string& what, const json& settings) {
    return evaluate(what, settings, *shelf);
  };
  tools.version = version;
  return tools;
}

json outcome_json(const SweepRunOutcome& outcome, const SweepRunRequest& request) {
  return {{"database", request.database.string()},
          {"before", outcome.before},
          {"done", outcome.done},
          {"failed", outcome.failed},
          {"stopped", outcome.stopped},
          {"seconds", outcome.seconds},
          {"never_kept", outcome.never_kept}};
}

json preview_json(const SweepPreview& preview) {
  return {{"name", preview.name},
          {"points", preview.points},
          {"excluded", preview.excluded},
          {"sampled", preview.sampled},
          {"samples_failed", preview.samples_failed},
          {"seconds_per_point", preview.seconds_per_point},
          {"estimate_s", preview.estimate_s},
          {"workers", preview.workers}};
}

std::string command_of_point(const std::string& what, const json& settings) {
  std::string text = "lingua " + what;
  for (const auto& [name, value] : settings.items()) {
    if (value == json(false) || value.is_null()) continue;
    for (const json& item : value.is_array() ? value : json::array({value})) {
      text += " --" + name;
      if (!item.is_boolean()) text += " " + shell_word(word_of(item));
    }
  }
  return text;
}

}  // namespace lingua
