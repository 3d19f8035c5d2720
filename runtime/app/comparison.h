#pragma once
// What was planned beside what the run measured.
//
// Values only. Of several requests in flight at once there is no estimate of one request's times: they wait for each
// other. A link's messages are compared with what the cluster's link takes for as many bytes as they had in the mean.
// Units: seconds, tokens per second.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "runtime/app/study.h"
#include "runtime/events/metrics.h"

namespace lingua {

struct Compared {
  std::string what;  // "tokens_per_s", "ttft_s", "tpot_s", "latency_s", "compute_s", "message_s"
  std::string of;    // of compute_s a device, of message_s "a -> b"; else empty
  double estimated = 0;
  double measured = 0;
  double ratio() const { return estimated > 0 ? measured / estimated : 0; }
};

// By the study's plan and cluster. Of devices per request; of links per message. Devices and links that the plan
// does not have, or the run did not use, are left out.
std::vector<Compared> compared(const Study& study, const Metrics& metrics);

// [{"what": "ttft_s", "of": "", "estimated": 0.2, "measured": 0.21, "ratio": 1.05}, ...]
nlohmann::json comparison_json(const std::vector<Compared>& rows);
// A table.
std::string comparison_text(const std::vector<Compared>& rows);

}  // namespace lingua
