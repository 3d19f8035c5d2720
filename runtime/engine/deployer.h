#pragma once
// How a deployment comes about: Prepare to each device, what each lacks, the ways between them tried,
// weights, Ready.
//
// A role without I/O, of the coordinator's; one for each epoch. Weights are sent when every device has said
// what it lacks and has been reached by those that will send to it.
// Errors: WorldError "NAME answers nonsense: ..." for an answer that is none; InputError from the model source.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/deployment.h"
#include "runtime/engine/effects.h"
#include "runtime/engine/weight_delivery.h"

namespace lingua {

class Deployer {
 public:
  // `beside`: the deployment that serves meanwhile, whose devices may give weights that they hold; null: none.
  // `cut`: links between devices that are not there.
  explicit Deployer(Deployment deployment, const Deployment* beside = nullptr,
                    WeightDelivery::Links cut = {});
  Deployer(const Deployer&) = delete;
  Deployer& operator=(const Deployer&) = delete;

  void begin(Effects& effects);
  // Takes what a device says of this deployment. False: it is not of this epoch.
  bool take(const Message& message, Seconds now, Effects& effects);
  // When tick() has something to do.
  Seconds next() const { return begun_ ? delivery_.next() : kNever; }
  void tick(Seconds now, Effects& effects) { delivery_.tick(now, effects); }
  // A link between two is no more; the plan may well do without it.
  void lose_link(const DeviceName& a, const DeviceName& b, Seconds now, Effects& effects);

  const Deployment& deployment() const { return deployment_; }
  const std::vector<DeviceName>& workers() const { return workers_; }
  // They, and who was told to give weights.
  std::set<DeviceName> all_involved() const;
  bool ready() const { return free_bytes_.size() == workers_.size() && untried_.empty(); }
  // Memory for states and activations, of the devices that are ready.
  const std::map<DeviceName, double>& free_bytes() const { return free_bytes_; }
  const WeightDelivery& delivery() const { return delivery_; }

 private:
  void send_weights(Seconds now, Effects& effects);
  bool is_mine(const MessageBody& body) const;

  const Deployment deployment_;
  const std::vector<DeviceName> workers_;                        // in pipeline order
  std::map<DeviceName, std::map<std::string, Digest>> digests_;  // that each was told
  std::set<std::pair<DeviceName, DeviceName>>
      untried_;                   // ways that the plan uses: from whom to whom
  std::set<DeviceName> lacking_;  // that have said what they lack
  WeightDelivery delivery_;
  bool begun_ = false;  // to deliver
  std::map<DeviceName, double> free_bytes_;
};

}  // namespace lingua
