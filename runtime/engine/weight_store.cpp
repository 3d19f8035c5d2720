#include "runtime/engine/weight_store.h"

#include <cstring>

#include "runtime/base/errors.h"

namespace lingua {

void WeightStore::expect(const WeightSpec& spec, std::optional<Digest> digest) {
  if (complete(spec.name) && entries_.at(spec.name).spec == spec) return;
  Entry entry;
  entry.spec = spec;
  entry.tensor = {spec.dtype, spec.shape, nullptr};
  entry.digest = digest;
  entries_.insert_or_assign(spec.name, std::move(entry));
}

void WeightStore::begin_anew(Entry& entry) {
  entry.from.clear();
  entry.received = 0;
  entry.buffer.reset();
  entry.checksum.reset();
  entry.hasher.reset();
}

void WeightStore::forget(const std::string& name, const DeviceName& from) {
  const auto found = entries_.find(name);
  if (found != entries_.end() && found->second.from == from && !complete(name))
    begin_anew(found->second);
}

WeightStore::Taken WeightStore::receive(const WeightChunk& chunk, const DeviceName& from) {
  const auto found = entries_.find(chunk.weight);
  if (found == entries_.end()) {
    throw WorldError(fmt::format("weight '{}' arrived, which no segment here uses", chunk.weight));
  }
  Entry& entry = found->second;
  if (!entry.from.empty() && entry.from != from) {
    if (complete(chunk.weight) || from != kCoordinator) return Taken::kNotNeeded;
    begin_anew(entry);
  }
  const std::int64_t total = entry.spec.bytes();
  const std::int64_t size = chunk.bytes.bytes();
  if (chunk.offset != entry.received || size > total - entry.received || (size == 0 && total > 0)) {
    throw WorldError(fmt::format("weight '{}': a piece of {} bytes at {} does not follow {} of {}",
                                 chunk.weight, size, chunk.offset, entry.received, total));
  }
  entry.from = from;
  if (chunk.bytes.has_data()) {
    if (entry.received == 0) {
      entry.buffer = allocate_bytes(total);
      entry.checksum = std::make_unique<Checksum>();
      if (from != kCoordinator && entry.digest) entry.hasher = std::make_unique<Hasher>();
    } else if (!entry.buffer) {
      throw WorldError(
          fmt::format("weight '{}': a piece with data follows one without", chunk.weight));
    }
    std::memcpy(entry.buffer.get() + chunk.offset, chunk.bytes.data.get(),
                static_cast<std::size_t>(size));
    entry.checksum->update(chunk.bytes.data.get(), static_cast<std::size_t>(size));
    if (entry.hasher) entry.hasher->update(chunk.bytes.data.get(), static_cast<std::size_t>(size));
  }
  entry.received += size;
  if (entry.received < total) return Taken::kPart;
  check_whole(entry, chunk);
  return Taken::kWhole;
}

void WeightStore::check_whole(Entry& entry, const WeightChunk& last) {
  const auto refuse = [&](const std::string& why) {
    begin_anew(entry);
    throw WorldError(fmt::format("weight '{}' arrived damaged: {}", last.weight, why));
  };
  if (entry.checksum && entry.checksum->value() != last.checksum) {
    refuse(
        fmt::format("checksum {:016x}, announced {:016x}", entry.checksum->value(), last.checksum));
  }
  if (entry.hasher && entry.hasher->value() != *entry.digest)
    refuse("its digest is not that which the coordinator announced");
  entry.tensor.data = entry.buffer;
  entry.checksum.reset();
  entry.hasher.reset();
}

void WeightStore::hold(const std::string& name, std::shared_ptr<std::byte> data) {
  Entry& entry = entries_.at(name);
  entry.from = kCoordinator;
  entry.received = entry.spec.bytes();
  entry.buffer = std::move(data);
  entry.tensor.data = entry.buffer;
}

bool WeightStore::complete(const std::string& name) const {
  const auto found = entries_.find(name);
  return found != entries_.end() && found->second.received == found->second.spec.bytes();
}

const Tensor& WeightStore::tensor(const std::string& name) const {
  LINGUA_CHECK(complete(name), "weight {}", name);
  return entries_.at(name).tensor;
}

void WeightStore::keep_only(const std::set<std::string>& names) {
  std::erase_if(entries_, [&](const auto& item) { return !names.contains(item.first); });
}

}  // namespace lingua
