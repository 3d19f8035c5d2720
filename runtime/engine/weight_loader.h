#pragma once
// The part of a device that holds segments: their weights and programs, under one epoch or several.
//
// A role without I/O. What two epochs share is held once and sent once: a Prepare is answered with what
// the device lacks. While one epoch is coming (not Ready), no other may be prepared. What a cache has kept of
// earlier runs is not lacked; what is sent is given to it.
// Weights come from the coordinator or from devices that it has told to give them. What has contents is taken
// from a device only where its digest was announced: a device may give anything, and one that does gives no more.
// Errors: WorldError for a deployment that contradicts itself, what is held, or the memory; for weights and
// programs that nobody asked for. Then what was held before is still held.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/device/weight_cache.h"
#include "runtime/engine/effects.h"
#include "runtime/engine/memory_ledger.h"
#include "runtime/engine/weight_store.h"

namespace lingua {

class WeightLoader {
 public:
  // A segment that can be loaded into the executor.
  struct Load {
    const Segment* segment = nullptr;
    const std::string* program = nullptr;
    std::vector<Tensor> weights;
  };

  // `cache` null: nothing is kept. REQUIRES: ledger and cache outlive it.
  WeightLoader(DeviceName self, MemoryLedger& ledger, WeightCache* cache = nullptr)
      : self_(std::move(self)), ledger_(ledger), cache_(cache) {}

  // For a deployment that replaces all others: they are over, and what it does not store goes. Returns the
  // segments to be unloaded.
  std::vector<SegmentId> make_way_for(const Prepare& prepare);
  // Sends Lacks.
  void prepare(const Prepare& prepare, Seconds now, Effects& effects);
  void take(const SegmentProgram& program);
  // Sends WeightAck; of what a device has sent, WeightHeld too. A piece for an epoch that is gone is dropped.
  void take(const WeightChunk& chunk, const DeviceName& from, Effects& effects);

  // The next segment whose program and weights are all there and that is not loaded.
  std::optional<Load> next_load();
  void loaded(const Load& load, Seconds now, Effects& effects);
  // Sends Ready for the epoch that has become so, if one has.
  std::optional<Epoch> become_ready(Effects& effects);

  bool knows(Epoch epoch) const { return epochs_.contains(epoch); }
  bool is_ready(Epoch epoch) const;
  // Null where no epoch stores it.
  const Segment* segment(SegmentId id) const {
    const auto held = segments_.find(id);
    return held == segments_.end() ? nullptr : &held->second.segment;
  }

  const WeightStore& store() const { return store_; }

  // The epoch is over. Returns the segments that no other needs, to be unloaded.
  std::vector<SegmentId> retire(Epoch epoch);

 private:
  struct Held {
    Segment segment;
    std::string program;
    bool has_program = false;
    bool loaded = false;
  };
  struct Deployed {
    std::vector<SegmentId> segments;
    std::string segmentation;
    bool has_data = false;
    bool ready = false;
    std::set<DeviceName> refused;  // devices that have given what was wrong
  };

  void check(const Prepare& prepare) const;
  bool receive(const WeightChunk& chunk, const DeviceName& from);
  bool is_kept(const WeightSpec& weight, const Prepare& prepare);
  std::map<std::string, WeightSpec> weights_with(const Prepare& prepare) const;
  Deployed* coming();
  std::set<SegmentId> needed_without(Epoch epoch) const;
  double bytes_of(const std::set<SegmentId>& segments) const;
  std::vector<SegmentId> keep(const std::set<SegmentId>& needed);

  const DeviceName self_;
  MemoryLedger& ledger_;
  WeightCache* const cache_;
  std::map<Epoch, Deployed> epochs_;
  Epoch last_ = 0;
  std::map<SegmentId, Held> segments_;
  WeightStore store_;
  bool changed_ = false;  // since next_load() found none
  Seconds load_start_{0};
};

}  // namespace lingua
