#pragma once
// What a move would cost and what the rest of a run would take: predicted by playing what is left of it
// (predict/estimate.h) on the cluster as it is at present.
//
// Requests that run are taken to be alike, as long as their mean, and so are those that wait; the latter follow
// the former. Units: seconds, bytes, tokens.

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "runtime/plan/plan_request.h"
#include "runtime/plan/weight_sources.h"

namespace lingua {

// A request that has not ended.
struct RequestLeft {
  std::int64_t prompt_tokens = 0;
  std::int64_t made = 0;
  std::int64_t max_tokens = 0;
  bool runs = false;
  std::int64_t id = 0;
  double running_s = 0;
};

class Forecast {
 public:
  // REQUIRES: request and cluster outlive it. `request`: segmentation and workload; its cluster is not looked at.
  // `move_bytes_per_s`: that each sends at most of weights and states; 0: no bound.
  // `queued`: steps that were ready on devices when they reported last; of who is not there it is not known.
  Forecast(const PlanRequest& request, const ClusterSpec& present,
           const std::vector<RequestLeft>& requests, double move_bytes_per_s = 0,
           std::map<DeviceName, std::int64_t> queued = {});

  // From now on: devices have the weights of every plan after.
  void weights_are_there() { weights_are_there_ = true; }

  const std::vector<RequestLeft>& requests() const { return requests_; }
  // Until the last of the requests ends, under a plan.
  double rest_s(const Plan& plan) const;
  // The mean time between tokens of the requests that run; 0 where none does.
  double token_s(const Plan& plan) const;
  // What the header computes of a token when it takes the longest of all devices, so that tokens wait there; else 0.
  double slow_header_s(const Plan& plan) const;
  // Until these have their next token, when a plan begins with nothing but their tokens and so many more of each.
  double rebuild_s(const Plan& plan, const std::vector<RequestLeft>& requests,
                   std::int64_t more = 0) const;
  // The tokens that a request has more when a move is prepared.
  std::int64_t tokens_meanwhile(const Plan& before, const Plan& after) const;
  // How long the states of so many tokens take from where they are to where another plan needs them; 0 when they
  // are there.
  double states_s(const Plan& before, const Plan& after, double tokens) const;
  // Requests have states that can move, and devices room for those of both plans.
  bool can_carry_states(const Plan& before, const Plan& after) const;
  // Until a move is prepared, and from the last token until the devices have stopped requests that stop at once.
  // Devices look at what has come when what they compute is done: when they are told to prepare, and to stop.
  // Prompts that are under way are what the slowest of them computes, one after the other.
  double prepare_s(const Plan& before, const Plan& after) const;
  double stop_s(const Plan& before, const Plan& after) const;
  // The part of it that is of prompts, without so many that are over by then.
  double prompts_s(const Plan& before, const Plan& after, int over = 0) const;
  // The bytes of weights that devices lack, and how long it takes to send them from the coordinator and from devices
  // that hold them under the plan before (plan/weight_sources.h).
  double missing_bytes(const Plan& before, const Plan& after) const;
  double sending_s(const Plan& before, const Plan& after) const;
  // So long after a loss: a device gives what it keeps of what it had, over a link that is not cut.
  double sending_after_loss_s(const Plan& before, const Plan& after,
                              const std::set<std::pair<DeviceName, DeviceName>>& cut) const;
  // A message to the farthest device of a plan, and its answer.
  double round_trip_s(const Plan& plan) const;
  // Each device has room for the weights of both plans and what the requests take.
  bool fits_beside(const Plan& before, const Plan& after) const;

 private:
  // Requests that are taken to be alike.
  struct Group {
    int requests = 0;
    int prompting = 0;  // that run and have no token
    std::int64_t prompt = 0;
    std::int64_t context = 0;  // prompt and tokens so far
    std::int64_t left = 0;     // tokens
  };
  static Group group_of(const std::vector<RequestLeft>& requests, bool runs);
  double play_s(const Plan& plan, int requests, std::int64_t prompt, std::int64_t tokens) const;
  bool has_room(const Plan& before, const Plan& after, bool with_both_states) const;
  // Prompts under way: how many wait where a piece of one takes longest, and how long it takes there.
  struct Prompts {
    int waiting = 0;
    double piece_s = 0;
  };
  Prompts prompts_under_way(const Plan& plan) const;
  std::int64_t context_after(double seconds, const Plan& plan) const;
  // `keep_all`: devices hold what they had until the next plan runs; else from the beginning what it stores.
  std::vector<WeightNeed> lacking(const Plan& before, const Plan& after,
                                  bool keep_all = true) const;
  double computing_s(const Stage& stage, const Step& step) const;  // 0 of who is not there

  const PlanRequest& request_;
  const ClusterSpec& present_;
  const double move_bytes_per_s_;
  const std::vector<RequestLeft> requests_;
  Group running_;
  Group waiting_;
  std::map<DeviceName, std::int64_t> queued_;
  bool weights_are_there_ = false;
};

}  // namespace lingua
