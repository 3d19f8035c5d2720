#include "runtime/plan/objective.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"

namespace lingua {
namespace {

struct Goal {
  const char* name;
  double Objective::*weight;
};
constexpr std::array kGoals = {Goal{"latency", &Objective::latency}, Goal{"ttft", &Objective::ttft},
                               Goal{"tpot", &Objective::tpot},
                               Goal{"throughput", &Objective::throughput},
                               Goal{"energy", &Objective::energy}};

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw UsageError(
      fmt::format("objective '{}' {}; write latency, ttft, tpot, throughput or energy, or a "
                  "weighted sum such as latency=1,energy=0.5",
                  text, why));
}

double parse_weight(const std::string& text, std::string_view weight) {
  double value = 0;
  const auto [end, error] = std::from_chars(weight.data(), weight.data() + weight.size(), value);
  const bool whole = error == std::errc() && end == weight.data() + weight.size();
  if (!whole || !std::isfinite(value) || value <= 0) {
    refuse(text, fmt::format("has the weight '{}', which is not a number above 0", weight));
  }
  return value;
}

}  // namespace

std::string objective_name(const Objective& objective) {
  std::string list;
  for (const Goal& goal : kGoals) {
    const double weight = objective.*goal.weight;
    if (weight == 0) continue;
    Objective alone;
    alone.*goal.weight = 1;
    if (objective == alone) return goal.name;
    list += fmt::format("{}{}={}", list.empty() ? "" : ",", goal.name, weight);
  }
  return list;
}

Objective parse_objective(const std::string& text) {
  Objective objective;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view term = rest.substr(0, rest.find(','));
    rest.remove_prefix(term.size());
    if (!rest.empty()) rest.remove_prefix(1);
    if (rest.empty() && text.back() == ',') refuse(text, "ends with a comma");
    const std::string_view name = term.substr(0, term.find('='));
    double Objective::*weight = nullptr;
    for (const Goal& goal : kGoals) {
      if (name == goal.name) weight = goal.weight;
    }
    if (weight == nullptr) refuse(text, fmt::format("names '{}', which is not known", name));
    if (objective.*weight != 0) refuse(text, fmt::format("names {} twice", name));
    objective.*weight = name == term ? 1 : parse_weight(text, term.substr(name.size() + 1));
  }
  if (objective == Objective{}) refuse(text, "is empty");
  return objective;
}

std::string objective_text(double value, const Objective& objective) {
  if (objective.is_throughput())
    return fmt::format("{:.4g} tokens/s", objective.throughput / value);
  if (objective == Objective::kEnergy) return fmt::format("{:.4g} J/token", value);
  for (const Objective& time : {Objective::kLatency, Objective::kTtft, Objective::kTpot}) {
    if (objective == time) return format_quantity(value, Unit::kSeconds);
  }
  return fmt::format("{:.4g}", value);
}

}  // namespace lingua
