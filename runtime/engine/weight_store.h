#pragma once
// The weights that a device holds: received in pieces, checked, shared between segments.
//
// Ownership: one buffer per weight name, whatever the number of segments that use it.
// Several may send a weight: the first that begins it goes on, unless the coordinator begins it anew.
// Errors: WorldError for a piece that does not fit its weight, comes out of order, or ends in a
// checksum that is not the announced one; of a device's, also for contents that do not have the digest that was
// announced. Nothing is allocated beyond what expect() announced.

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtime/base/digest.h"
#include "runtime/base/files.h"
#include "runtime/device/message.h"

namespace lingua {

class WeightStore {
 public:
  // Announces a weight. One that is complete already stays as it is, of any other nothing has come yet.
  void expect(const WeightSpec& spec, std::optional<Digest> digest = {});

  // Takes one piece: kNotNeeded is one that somebody else sends or has sent.
  enum class Taken { kPart, kWhole, kNotNeeded };
  Taken receive(const WeightChunk& chunk, const DeviceName& from);
  // Nothing has come of a weight, where what has came from this device and is not all.
  void forget(const std::string& name, const DeviceName& from);

  // The whole of a weight that is expected, from elsewhere than the coordinator.
  void hold(const std::string& name, std::shared_ptr<std::byte> data);

  bool expects(const std::string& name) const { return entries_.contains(name); }
  bool complete(const std::string& name) const;
  std::int64_t received(const std::string& name) const { return entries_.at(name).received; }
  // What a weight that is expected must have, as far as that is known.
  const std::optional<Digest>& digest(const std::string& name) const {
    return entries_.at(name).digest;
  }
  // REQUIRES: complete.
  const Tensor& tensor(const std::string& name) const;

  // Drops every weight whose name is not in `names`.
  void keep_only(const std::set<std::string>& names);

 private:
  struct Entry {
    WeightSpec spec = {};
    Tensor tensor = {};                      // its data is set when the weight is complete
    std::shared_ptr<std::byte> buffer = {};  // null in the simulated world
    DeviceName from = {};                    // of whom it is or was received
    std::int64_t received = 0;
    std::unique_ptr<Checksum> checksum = {};
    std::optional<Digest> digest = {};
    std::unique_ptr<Hasher> hasher = {};  // of a device's contents
  };
  static void begin_anew(Entry& entry);
  static void check_whole(Entry& entry, const WeightChunk& last);
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace lingua
