#pragma once
// How a deployment comes about: Prepare to each device, what each lacks, the ways between them tried,
// weights, Ready.
//
// A role without I/O, of the coordinator's; one for each epoch. Weights are sent when every device has said
// what it lacks and has been reached by those that will send to it.
// Errors: WorldError "NAME answers nonsense: ..." for an answer that is none.

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/deployment.h"
#include "runtime/engine/effects.h"
#include "runtime/engine/weight_sender.h"

namespace lingua {

class Deployer {
 public:
  explicit Deployer(Deployment deployment)
      : deployment_(std::move(deployment)), workers_(deployment_.plan.devices()) {}

  void begin(Effects& effects);
  // Takes what a device says of this deployment. False: it is not of this epoch.
  bool take(const Message& message, Seconds now, Effects& effects);

  const Deployment& deployment() const { return deployment_; }
  const std::vector<DeviceName>& workers() const { return workers_; }
  bool ready() const { return free_bytes_.size() == workers_.size() && untried_.empty(); }
  // Memory for states and activations, of the devices that are ready.
  const std::map<DeviceName, double>& free_bytes() const { return free_bytes_; }
  double weights_sent() const;   // bytes, that devices have acknowledged
  double weights_total() const;  // bytes

 private:
  void send_weights(Seconds now, Effects& effects);
  bool is_mine(const MessageBody& body) const;

  Deployment deployment_;
  std::vector<DeviceName> workers_;  // in pipeline order
  std::set<std::pair<DeviceName, DeviceName>>
      untried_;                                 // ways that the plan uses: from whom to whom
  std::map<DeviceName, WeightSender> senders_;  // of those that have said what they lack
  std::map<DeviceName, double> free_bytes_;
};

}  // namespace lingua
