// A planner in a file of its own: that of the README. With LINGUA_OTHER_LAYOUT one that was made from other sources.
#include "runtime/planner/planner_module.h"

namespace lingua {
PlannerResult plan_single(const PlanRequest& request);
}

#ifdef LINGUA_OTHER_LAYOUT
extern "C" const lingua::PlannerModule* lingua_planner() {
  static lingua::PlannerModule module = {lingua::kPlannerLayout, "", lingua::plan_single};
  ++module.layout[3];
  return &module;
}
#else
LINGUA_PLANNER("the whole model on the one device that answers soonest", lingua::plan_single)
#endif
