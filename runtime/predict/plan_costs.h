#pragma once
// The tables that the exact planners search: what each run of segments and each transfer costs, by
// device and segment numbers, per request.
//
// The formulation: a plan is a chain of runs, each on a device of its own, from segment 0 to the
// last, closed by the tailer's answer to the header. The message at a cut carries the values made
// in the sender's run and used first, from there on, by the segment after the cut. What goes to a
// stage that is not the next (residual transfers) is left out: it travels beside the chain. So a
// chain costs no more than estimate() says, and as much where no residual transfer is on the
// critical path.
// Where the rules let the header keep the last segments too, they are no choice: a chain covers the
// segments before them, what begins at segment 0 costs and holds them besides, and the last run sends
// its message to the header instead of an answer.
// The price of a chain is what it is worth to the objective: what adds up along it (seconds, joules),
// weighed, and for throughput the larger of latency / overlap and the time on the shared medium.
// Units: seconds per request; prices and values are in the objective's unit. Ownership: refers to the
// request, which must outlive it.

#include <algorithm>
#include <chrono>
#include <compare>
#include <limits>
#include <vector>

#include "runtime/plan/plan_request.h"
#include "runtime/plan/run_memory.h"

namespace lingua {

inline constexpr double kNoLimit = std::numeric_limits<double>::infinity();

// Segments first .. last on a device, by its index in the cluster.
struct Run {
  int device = 0;
  int first = 0;
  int last = 0;

  auto operator<=>(const Run&) const = default;
};

// Sums along a chain, in the objective's unit.
struct Price {
  double cost = 0;    // with throughput bound by latency / overlap
  double medium = 0;  // with throughput bound by the shared medium; 0 where that cannot be

  double value() const { return std::max(cost, medium); }
  friend Price operator+(const Price& a, const Price& b) {
    return {a.cost + b.cost, a.medium + b.medium};
  }
};

class PlanCosts {
 public:
  explicit PlanCosts(const PlanRequest& request);

  const PlanRequest& request() const { return *request_; }
  const PlanRules& rules() const { return rules_; }  // resolved
  int segments() const { return segments_; }         // that chains cover
  int kept() const { return kept_; }                 // last segments, on the header
  int devices() const { return devices_; }
  int header() const { return header_; }  // -1: free
  int tailer() const { return tailer_; }  // -1: free
  bool has_medium() const { return medium_bytes_per_s_ > 0; }
  // Every segment uses something that the one before it makes, so that a chain is a path of the
  // estimate and its cost a lower bound.
  bool chained() const { return chained_; }

  double memory(int first, int last) const { return memory_[cell(first, last)]; }
  // What a run takes, with what the header keeps where it is the header's.
  RunMemory run_memory(int first, int last) const;
  bool keeps_battery(const Run& run) const { return compute(run) <= battery_s_[run.device]; }
  // The request lets the device run that, what the header keeps with it where it is the header's.
  bool may_run(const Run& run) const {
    return run.last < reach_[static_cast<std::size_t>(run.device) * segments_ + run.first];
  }
  // The device may run it, its memory holds the run, and its battery keeps the floor.
  bool fits(const Run& run) const;
  // Why a run does not fit, with numbers. REQUIRES: !fits(run).
  std::string misfit(const Run& run) const;
  // By the rules: the header keeps what it must, the tailer runs the last segment and others do not.
  bool allowed(const Run& run) const;
  double compute(const Run& run) const;

  // The message from the run that begins at `start` and ends before `cut`. REQUIRES: start < cut.
  double transfer(int from, int to, int start, int cut) const;  // as it is felt, with latency
  double busy(int from, int to, int start, int cut) const;      // as it occupies the link
  double medium(int start, int cut) const;                      // as it occupies the shared medium
  // The first of the starts up to `start` whose messages at the cut are the same as its own.
  int same_message(int start, int cut) const;

  // What the last run sends the header: an answer, or the message to the segments that the header
  // keeps; nothing when they are one device.
  double answer(const Run& last, int header) const;
  double answer_busy(const Run& last, int header) const;
  double answer_medium(const Run& last, int header) const;
  // The first of the starts up to `start` of last runs that send the same.
  int same_answer(int start) const { return kept_ > 0 ? same_message(start, segments_) : 0; }

  // The stages of a chain, and of those the chain; empty where they are no chain by the rules.
  std::vector<Stage> stages(const std::vector<Run>& runs) const;
  std::vector<Run> runs(const std::vector<Stage>& stages) const;
  // Latency, the busiest device or link, and the busiest resource of a chain, the medium included.
  double latency(const std::vector<Run>& runs) const;
  double busiest(const std::vector<Run>& runs) const;
  double bottleneck(const std::vector<Run>& runs) const;

  // What the parts of a chain add to its price, and the whole.
  Price price(const Run& run) const;
  Price transfer_price(int from, int to, int start, int cut) const;
  Price answer_price(const Run& last, int header) const;
  Price price(const std::vector<Run>& runs) const;
  // The same with what the busiest device or link bounds: what is minimised, and no more than the
  // objective's value by estimate().
  double objective(const std::vector<Run>& runs) const;
  // Of that, what throughput has no part in.
  double other_goals(const std::vector<Run>& runs) const;
  // What a second of the busiest resource, per request, is worth; 0 when throughput is no goal.
  double busy_price() const { return busy_price_; }
  bool weighs_medium() const { return busy_price_ > 0 && has_medium(); }

  // Of the request's time limit, counted from the making of these tables, without a part for what comes after
  // the search: the estimate of the plan.
  double left_s() const {
    const double limit_s = request_->time_limit_s;
    return limit_s - (request_->only_in_time ? 0 : std::min(0.5, 0.2 * limit_s)) - elapsed_s();
  }
  bool out_of_time() const { return left_s() < 0; }
  double elapsed_s() const { return Seconds(std::chrono::steady_clock::now() - began_).count(); }

 private:
  std::size_t cell(int first, int last) const {
    return static_cast<std::size_t>(first) * (segments_ + 1) + last;
  }
  std::size_t pair(int from, int to) const {
    return static_cast<std::size_t>(from) * devices_ + to;
  }
  int index_of(const DeviceName& name) const;  // -1 for an empty name
  void weigh_goals();
  Price priced(double first_s, double all_s, double joules, double medium_s) const;
  void fill_compute();
  void fill_memory();
  void fill_batteries();
  void fill_reach();
  void fill_messages();
  void fill_links();

  const PlanRequest* request_;
  PlanRules rules_;
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  int segments_ = 0;
  int kept_ = 0;  // last segments, on the header
  int devices_ = 0;
  MessageSizes sizes_;
  int header_ = -1;
  int tailer_ = -1;
  double steps_ = 0;
  double first_price_ = 0;  // of a second in the first step
  double later_price_ = 0;  // of a second in the others
  double joule_price_ = 0;
  double busy_price_ = 0;
  double answer_bytes_ = 0;
  double answer_first_bytes_ = 0;  // in the first step
  double medium_bytes_per_s_ = 0;
  bool chained_ = true;
  // [device][segment]: sums over the segments before it, over all steps and in the first.
  std::vector<double> compute_before_;
  std::vector<double> compute_first_before_;
  // [device]: of the segments that the header keeps.
  std::vector<double> kept_compute_;
  std::vector<double> kept_compute_first_;
  std::vector<double> battery_s_;  // of computing per request, by device
  std::vector<int> reach_;         // [device][first]: before which segment a run may end
  std::vector<double> memory_;     // [first][last]
  // [start][cut]: over all steps and in the first.
  std::vector<double> message_bytes_;
  std::vector<double> message_first_bytes_;
  std::vector<double> latency_s_;        // [from][to]
  std::vector<double> bytes_per_s_;      // [from][to]
  std::vector<double> joules_per_byte_;  // [from][to]
};

}  // namespace lingua
