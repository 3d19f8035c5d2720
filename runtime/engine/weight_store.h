#pragma once
// The weights that a device holds: received in pieces, checked, shared between segments.
//
// Ownership: one buffer per weight name, whatever the number of segments that use it.
// Errors: WorldError for a piece that does not fit its weight, comes out of order, or ends in a
// checksum that is not the announced one. Nothing is allocated beyond what expect() announced.

#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/base/files.h"
#include "runtime/device/message.h"

namespace lingua {

class WeightStore {
 public:
  // Announces a weight. One that is complete already stays as it is, of any other nothing has come yet.
  void expect(const WeightSpec& spec);

  // Takes one piece. Returns true when its weight is complete.
  bool receive(const WeightChunk& chunk);

  // The whole of a weight that is expected, from elsewhere than the coordinator.
  void hold(const std::string& name, std::shared_ptr<std::byte> data);

  bool complete(const std::string& name) const;
  // REQUIRES: complete.
  const Tensor& tensor(const std::string& name) const;

  // Drops every weight whose name is not in `names`.
  void keep_only(const std::set<std::string>& names);

 private:
  struct Entry {
    WeightSpec spec;
    Tensor tensor;                      // its data is set when the weight is complete
    std::shared_ptr<std::byte> buffer;  // null in the simulated world
    std::int64_t received = 0;
    std::unique_ptr<Checksum> checksum;
  };
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace lingua
