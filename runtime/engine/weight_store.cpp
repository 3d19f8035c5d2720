#include "runtime/engine/weight_store.h"

#include <cstring>

#include "runtime/base/errors.h"

namespace lingua {

void WeightStore::expect(const WeightSpec& spec) {
  if (complete(spec.name) && entries_.at(spec.name).spec == spec) return;
  Entry entry;
  entry.spec = spec;
  entry.tensor = {spec.dtype, spec.shape, nullptr};
  entries_.insert_or_assign(spec.name, std::move(entry));
}

bool WeightStore::receive(const WeightChunk& chunk) {
  const auto found = entries_.find(chunk.weight);
  if (found == entries_.end()) {
    throw WorldError(fmt::format("weight '{}' arrived, which no segment here uses", chunk.weight));
  }
  Entry& entry = found->second;
  const std::int64_t total = entry.spec.bytes();
  const std::int64_t size = chunk.bytes.bytes();
  if (chunk.offset != entry.received || size > total - entry.received || (size == 0 && total > 0)) {
    throw WorldError(fmt::format("weight '{}': a piece of {} bytes at {} does not follow {} of {}",
                                 chunk.weight, size, chunk.offset, entry.received, total));
  }
  if (chunk.bytes.has_data()) {
    if (entry.received == 0) {
      entry.buffer = allocate_bytes(total);
      entry.checksum = std::make_unique<Checksum>();
    } else if (!entry.buffer) {
      throw WorldError(
          fmt::format("weight '{}': a piece with data follows one without", chunk.weight));
    }
    std::memcpy(entry.buffer.get() + chunk.offset, chunk.bytes.data.get(),
                static_cast<std::size_t>(size));
    entry.checksum->update(chunk.bytes.data.get(), static_cast<std::size_t>(size));
  }
  entry.received += size;
  if (entry.received < total) return false;
  if (entry.checksum && entry.checksum->value() != chunk.checksum) {
    throw WorldError(fmt::format("weight '{}' arrived damaged: checksum {:016x}, announced {:016x}",
                                 chunk.weight, entry.checksum->value(), chunk.checksum));
  }
  entry.tensor.data = entry.buffer;
  entry.checksum.reset();
  return true;
}

void WeightStore::hold(const std::string& name, std::shared_ptr<std::byte> data) {
  Entry& entry = entries_.at(name);
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
