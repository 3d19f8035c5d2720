#include "runtime/engine/weight_loader.h"

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/events/event_log.h"

namespace lingua {

bool WeightLoader::is_ready(Epoch epoch) const {
  const auto found = epochs_.find(epoch);
  return found != epochs_.end() && found->second.ready;
}

WeightLoader::Deployed* WeightLoader::coming() {
  for (auto& [epoch, deployed] : epochs_) {
    if (!deployed.ready) return &deployed;
  }
  return nullptr;
}

void WeightLoader::check(const Prepare& prepare) const {
  if (prepare.epoch <= last_) {
    throw WorldError(
        fmt::format("a deployment of epoch {} came after one of epoch {}", prepare.epoch, last_));
  }
  for (const auto& [epoch, deployed] : epochs_) {
    if (!deployed.ready) {
      throw WorldError(fmt::format("a deployment of epoch {} came while epoch {} is not ready",
                                   prepare.epoch, epoch));
    }
    if (deployed.segmentation != prepare.segmentation || deployed.has_data != prepare.has_data) {
      throw WorldError(
          fmt::format("the deployment of epoch {} is of another model than that of epoch {}",
                      prepare.epoch, epoch));
    }
  }
  std::set<SegmentId> ids;
  for (const Segment& segment : prepare.segments) {
    const auto held = segments_.find(segment.id);
    if (!ids.insert(segment.id).second) {
      throw WorldError(fmt::format("the deployment stores segment {} twice", segment.id));
    }
    if (held != segments_.end() && !(held->second.segment == segment)) {
      throw WorldError(fmt::format("the deployment of epoch {} has another segment {} than before",
                                   prepare.epoch, segment.id));
    }
  }
}

// The weights of all that is held and of what comes, by name.
std::map<std::string, WeightSpec> WeightLoader::weights_with(const Prepare& prepare) const {
  std::map<std::string, WeightSpec> weights;
  const auto add = [&](const Segment& segment) {
    for (const WeightSpec& weight : segment.weights) {
      const auto [known, is_new] = weights.emplace(weight.name, weight);
      if (is_new || known->second == weight) continue;
      throw WorldError(fmt::format("the deployment has two weights '{}' of different shape",
                                   one_line(weight.name)));
    }
  };
  for (const auto& [id, held] : segments_) add(held.segment);
  for (const Segment& segment : prepare.segments) add(segment);
  return weights;
}

std::vector<SegmentId> WeightLoader::make_way_for(const Prepare& prepare) {
  std::set<SegmentId> needed;
  for (const Segment& segment : prepare.segments) needed.insert(segment.id);
  epochs_.clear();
  return keep(needed);
}

void WeightLoader::prepare(const Prepare& prepare, Seconds now, Effects& effects) {
  check(prepare);
  double bytes = 0;
  for (const auto& [name, weight] : weights_with(prepare)) {
    bytes += static_cast<double>(weight.bytes());
  }
  ledger_.hold_weights(bytes);
  last_ = prepare.epoch;
  changed_ = true;
  load_start_ = now;
  Deployed& deployed = epochs_[prepare.epoch];
  deployed.segmentation = prepare.segmentation;
  deployed.has_data = prepare.has_data;
  Lacks lacks{prepare.epoch, {}, {}};
  std::set<std::string> asked;
  for (const Segment& segment : prepare.segments) {
    deployed.segments.push_back(segment.id);
    Held& held = segments_[segment.id];
    if (held.loaded) continue;
    held.segment = segment;
    held.has_program = !prepare.has_data;
    if (!held.has_program) lacks.programs.push_back(segment.id);
    for (const WeightSpec& weight : segment.weights) {
      if (store_.complete(weight.name) || !asked.insert(weight.name).second) continue;
      const auto digest = prepare.digests.find(weight.name);
      store_.expect(weight,
                    digest == prepare.digests.end() ? std::nullopt : std::optional(digest->second));
      if (!is_kept(weight, prepare)) lacks.weights.push_back(weight.name);
    }
  }
  effects.send(kCoordinator, std::move(lacks));
}

// Takes it out of the cache where that has it.
bool WeightLoader::is_kept(const WeightSpec& weight, const Prepare& prepare) {
  const auto digest = prepare.digests.find(weight.name);
  if (cache_ == nullptr || digest == prepare.digests.end()) return false;
  std::shared_ptr<std::byte> data = cache_->find(digest->second, weight.bytes());
  if (!data) return false;
  store_.hold(weight.name, std::move(data));
  return true;
}

void WeightLoader::take(const SegmentProgram& program) {
  if (!knows(program.epoch)) return;
  const auto found = segments_.find(program.segment);
  if (found == segments_.end() || found->second.has_program) {
    throw WorldError(fmt::format("a program of segment {} came, which this device does not lack",
                                 program.segment));
  }
  found->second.program = program.program;
  found->second.has_program = true;
  changed_ = true;
}

// False: it was not needed.
bool WeightLoader::receive(const WeightChunk& chunk, const DeviceName& from) {
  const WeightStore::Taken taken = store_.receive(chunk, from);
  if (taken == WeightStore::Taken::kWhole) {
    changed_ = true;
    const Tensor& weight = store_.tensor(chunk.weight);
    if (cache_ != nullptr && weight.has_data()) cache_->keep(weight.data, weight.bytes());
  }
  return taken != WeightStore::Taken::kNotNeeded;
}

void WeightLoader::take(const WeightChunk& chunk, const DeviceName& from, Effects& effects) {
  const auto place = epochs_.find(chunk.epoch);
  if (place == epochs_.end()) return;
  if (from == kCoordinator) receive(chunk, from);
  effects.send(from, WeightAck{chunk.epoch, chunk.weight, chunk.offset});
  Deployed& deployed = place->second;
  if (from == kCoordinator || deployed.refused.contains(from) || !store_.expects(chunk.weight))
    return;
  WeightHeld held{chunk.epoch, from, chunk.weight, 0, ""};
  try {
    const bool is_checked = store_.digest(chunk.weight).has_value() && chunk.bytes.has_data();
    if (deployed.has_data && !is_checked) {
      throw WorldError(fmt::format("weight '{}' came from a device and cannot be checked",
                                   one_line(chunk.weight)));
    }
    if (!receive(chunk, from)) return;
    held.bytes = store_.received(chunk.weight);
  } catch (const WorldError& error) {
    store_.forget(chunk.weight, from);
    deployed.refused.insert(from);
    held.trouble = one_line(error.what());
  }
  effects.send(kCoordinator, std::move(held));
}

std::optional<WeightLoader::Load> WeightLoader::next_load() {
  if (!changed_) return std::nullopt;
  for (const auto& [id, held] : segments_) {
    const auto is_there = [&](const WeightSpec& weight) { return store_.complete(weight.name); };
    const std::vector<WeightSpec>& weights = held.segment.weights;
    if (held.loaded || !held.has_program) continue;
    if (!std::all_of(weights.begin(), weights.end(), is_there)) continue;
    Load load{&held.segment, &held.program, {}};
    for (const WeightSpec& weight : weights) load.weights.push_back(store_.tensor(weight.name));
    return load;
  }
  changed_ = false;
  return std::nullopt;
}

void WeightLoader::loaded(const Load& load, Seconds now, Effects& effects) {
  Held& held = segments_.at(load.segment->id);
  held.loaded = true;
  held.program = {};
  effects.rows.push_back({self_, event::kLoad, held.segment.id, -1, -1, load_start_, now,
                          held.segment.weights_bytes()});
  load_start_ = now;  // weights come one after the other
}

std::optional<Epoch> WeightLoader::become_ready(Effects& effects) {
  Deployed* deployed = coming();
  if (deployed == nullptr) return std::nullopt;
  for (SegmentId id : deployed->segments) {
    if (!segments_.at(id).loaded) return std::nullopt;
  }
  deployed->ready = true;
  effects.send(kCoordinator, Ready{last_, ledger_.bytes_beside_weights()});
  return last_;
}

std::set<SegmentId> WeightLoader::needed_without(Epoch epoch) const {
  std::set<SegmentId> needed;
  for (const auto& [other, deployed] : epochs_) {
    if (other != epoch) needed.insert(deployed.segments.begin(), deployed.segments.end());
  }
  return needed;
}

// Each weight once.
double WeightLoader::bytes_of(const std::set<SegmentId>& segments) const {
  std::set<std::string> names;
  double bytes = 0;
  for (const SegmentId id : segments) {
    for (const WeightSpec& weight : segments_.at(id).segment.weights) {
      if (names.insert(weight.name).second) bytes += static_cast<double>(weight.bytes());
    }
  }
  return bytes;
}

std::vector<SegmentId> WeightLoader::retire(Epoch epoch) {
  const std::set<SegmentId> needed = needed_without(epoch);
  epochs_.erase(epoch);
  return keep(needed);
}

// Only these segments; gives those that were loaded and are not among them.
std::vector<SegmentId> WeightLoader::keep(const std::set<SegmentId>& needed) {
  std::vector<SegmentId> unneeded;
  std::set<std::string> names;
  double bytes = 0;
  for (auto place = segments_.begin(); place != segments_.end();) {
    if (!needed.contains(place->first)) {
      if (place->second.loaded) unneeded.push_back(place->first);
      place = segments_.erase(place);
      continue;
    }
    for (const WeightSpec& weight : place->second.segment.weights) {
      if (names.insert(weight.name).second) bytes += static_cast<double>(weight.bytes());
    }
    ++place;
  }
  store_.keep_only(names);
  ledger_.hold_weights(bytes);
  return unneeded;
}

}  // namespace lingua
