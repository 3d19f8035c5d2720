#pragma once
// Plans between several goals, as a table, as JSON and as a picture (SVG) of the first two goals.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "runtime/planner/study/pareto.h"

namespace lingua {

std::string pareto_table(const ParetoFront& front);
nlohmann::json pareto_to_json(const ParetoFront& front);
std::string pareto_picture(const ParetoFront& front);

}  // namespace lingua
