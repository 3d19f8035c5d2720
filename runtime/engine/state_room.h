#pragma once
// How much of the devices' memory the requests of a deployment take, as the coordinator counts it: so that
// a request waits until its states fit, instead of being refused by a device.
//
// Pure bookkeeping. The devices have the last word (memory_ledger.h). Units: bytes.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/engine/deployment.h"

namespace lingua {

class StateRoom {
 public:
  // `free_bytes`: of each device, beside weights. REQUIRES: the deployment's
  // segmentation outlives it.
  StateRoom(const Deployment& deployment, const std::map<DeviceName, double>& free_bytes);

  // Whether every device has room for its states, and beside them for the activations of its steps and of
  // those that were taken.
  bool fits(const Submit& submit) const;
  void take(const Submit& submit);
  // So much more is free on a device.
  void add(const DeviceName& device, double bytes);
  // REQUIRES: it was taken.
  void give_back(const Submit& submit);

  // Weights that come beside what runs, by device: they take room from then on. Empty, or the device that has not
  // so much beside what was taken, and why in words; then nothing is held.
  std::string hold_weights(const std::map<DeviceName, double>& bytes);
  void give_back_weights(const std::map<DeviceName, double>& bytes);

  // A request of another deployment, which was taken there, needs what it needs there on the devices of both, until
  // it ends there.
  void take_beside(const StateRoom& other, const Submit& submit);
  // Ignored where it was not taken.
  void end_beside(RequestId request);

 private:
  struct Share {
    std::vector<const Segment*> segments;  // that it runs
    double free_bytes = 0;
    std::multiset<double> activations;  // of the requests that were taken
    double largest() const { return activations.empty() ? 0 : *activations.rbegin(); }
  };
  struct Beside {
    double states = 0;
    double activations = 0;
  };
  double states(const Share& share, const Submit& submit) const;
  double activations(const Share& share, const Submit& submit) const;

  // The steps of a request that take most of a device while they run.
  std::vector<Step> largest_steps(const Submit& submit) const;

  const std::vector<TensorSpec>* model_inputs_;
  Scheduling scheduling_;
  int stages_ = 1;
  std::map<DeviceName, Share> shares_;
  std::map<RequestId, std::map<DeviceName, Beside>> beside_;
};

}  // namespace lingua
