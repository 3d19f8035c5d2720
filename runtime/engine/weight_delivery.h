#pragma once
// How the devices of a deployment get what they lack: programs from the coordinator, weights from it or from
// devices that hold them, as has them all there soonest (plan/weight_sources.h).
//
// A role without I/O, of the coordinator's. A device gives weights where its link to the other is there and, as far
// as weights have contents, who gets them can check them by a digest. What does not come from it for a
// while, or over a link that is lost, or is not what it should be, comes from the coordinator instead.
// Errors: InputError from the model source; a device that asks for what is not its own, or answers out of turn, is
// a WorldError "NAME answers nonsense: ...".

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/deployment.h"
#include "runtime/engine/effects.h"
#include "runtime/engine/weight_sender.h"

namespace lingua {

class WeightDelivery {
 public:
  using Links = std::set<std::pair<DeviceName, DeviceName>>;

  // `bytes_per_s`: see Deployment::move_bytes_per_s. REQUIRES: the deployment outlives it.
  WeightDelivery(const Deployment& deployment, double bytes_per_s, Links cut);

  // Before begin(): what a device of the deployment lacks; that it holds the rest of what it stores and can check
  // these weights; and that another device holds what it stores under a deployment.
  void add_lacks(const DeviceName& device, const Lacks& lacks);
  void add_checked(const DeviceName& device, const std::map<std::string, Digest>& digests);
  void add_holder(const DeviceName& device, const Deployment& deployment);

  void begin(Seconds now, Effects& effects);
  void take(const WeightAck& ack, const DeviceName& from, Seconds now, Effects& effects);
  void take(const WeightHeld& held, const DeviceName& by, Seconds now, Effects& effects);
  void lose_link(const DeviceName& a, const DeviceName& b, Seconds now, Effects& effects);
  // When tick() has something to do.
  Seconds next() const;
  void tick(Seconds now, Effects& effects);

  // All that it lacks has been sent, and its weights have come.
  bool complete(const DeviceName& device) const;
  double bytes_total() const;                       // of weights
  std::map<DeviceName, double> bytes_from() const;  // of weights that have come, by who sent them
  std::set<DeviceName> givers() const;              // devices that were told to send
  const std::vector<std::string>& notes() const { return notes_; }  // in one line: who gave no more

 private:
  struct Weight {
    WeightSpec spec;
    DeviceName source;
    std::int64_t bytes = 0;  // that have come
    bool held = false;
  };
  struct Receiver {
    std::vector<SegmentId> programs;  // still to send
    std::vector<Weight> weights;
    std::set<std::string> checked;
    std::unique_ptr<WeightSender> sender;  // the coordinator's; null: nothing is to come from it
    int missing = 0;                       // weights
    Weight* find(const std::string& name);
  };
  // Of weights from a device to another.
  struct Giving {
    int missing = 0;
    Seconds patience{0};
    Seconds heard{0};
  };

  void order_from(const DeviceName& giver, const DeviceName& receiver, double bytes_per_s,
                  Seconds now, Effects& effects);
  void send_by_coordinator(const DeviceName& receiver, Weight& weight);
  void share_rate();
  void take_over(const DeviceName& giver, const DeviceName& receiver, const std::string& why,
                 Seconds now, Effects& effects);
  void note_held(Receiver& receiver, Weight& weight, const DeviceName& from);
  Receiver& receiver_of(const DeviceName& device);

  const Deployment& deployment_;
  const double bytes_per_s_;
  const Links cut_;
  std::map<DeviceName, Receiver> receivers_;
  std::map<std::string, std::set<DeviceName>> holders_;          // by weight
  std::map<std::pair<DeviceName, DeviceName>, Giving> givings_;  // giver, receiver
  std::vector<std::string> notes_;
};

}  // namespace lingua
