#pragma once
// What comes of planning alone: a plan with what is known of it, or the plans between several goals.
//
// Errors: those of the parts; each names its option, file and field.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "runtime/app/audience.h"
#include "runtime/app/study.h"
#include "runtime/planner/study/best_alone.h"
#include "runtime/planner/study/pareto.h"
#include "runtime/predict/token_time.h"

namespace lingua {

struct PlanningRequest {
  StudyOptions study;
  bool explain = false;
  bool pareto = false;
  std::string picture;  // file (SVG); empty: none
};

// What `plan` takes.
void visit_planning(PlanningRequest& request, SettingVisitor& visitor);

struct Planning {
  Study study;
  std::optional<ParetoFront> front;  // where that is asked for; else what follows
  TokenTime time = {};
  std::optional<BestAlone> alone = {};
  double value = 0;  // of the objective
};

Planning plan(const PlanningRequest& request, const Audience& audience);

// The same for machines.
nlohmann::json planning_json(const Planning& planning);

// Tells the audience the explanation, and writes the picture, where they are asked for.
void explain_planning(const PlanningRequest& request, const Planning& planning,
                      const Audience& audience);

// What `lingua plan --json` prints; the files that the request names are written.
nlohmann::json plan_json(const PlanningRequest& request, const Audience& audience);

}  // namespace lingua
