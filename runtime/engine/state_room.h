#pragma once
// How much of the devices' memory the requests of a deployment take, as the coordinator counts it: so that
// a request waits until its states fit, instead of being refused by a device.
//
// Pure bookkeeping. The devices have the last word (memory_ledger.h). Units: bytes.

#include <map>
#include <set>
#include <vector>

#include "runtime/engine/deployment.h"

namespace lingua {

class StateRoom {
 public:
  // `free_bytes`: of each device, beside weights and what it holds otherwise. REQUIRES: the deployment's
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

 private:
  struct Share {
    std::vector<const Segment*> segments;  // that it runs
    double free_bytes = 0;
    std::multiset<double> activations;  // of the requests that were taken
  };
  double states(const Share& share, const Submit& submit) const;
  double activations(const Share& share, const Submit& submit) const;

  // The steps of a request that take most of a device while they run.
  std::vector<Step> largest_steps(const Submit& submit) const;

  const std::vector<TensorSpec>* model_inputs_;
  Scheduling scheduling_;
  int stages_ = 1;
  std::map<DeviceName, Share> shares_;
};

}  // namespace lingua
