#pragma once
// What changed while a run went on, for people: a line for each loss, join and move.

#include <string>
#include <vector>

#include "runtime/engine/coordinator.h"
#include "runtime/engine/recovery.h"

namespace lingua {

// Of the losses after which the run went on.
std::string recoveries_text(const std::vector<Recovery>& recoveries);
std::string joins_text(const std::vector<JoinRecord>& joins);
std::string moves_text(const std::vector<MoveRecord>& moves);

}  // namespace lingua
