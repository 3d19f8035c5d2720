#pragma once
// Spares for people and as JSON: who stores what, and what each loss would cost with them and without.

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "runtime/balance/spares.h"

namespace lingua {

std::string spares_text(const SparesPlan& spares, const Segmentation& segmentation);
nlohmann::json spares_json(const SparesPlan& spares);

}  // namespace lingua
