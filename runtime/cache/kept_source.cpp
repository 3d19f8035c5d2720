#include "runtime/cache/kept_source.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr std::int64_t kStored = 1 << 20;

// Behind the weight stands its checksum.
constexpr std::int64_t kBehind = sizeof(std::uint64_t);

}  // namespace

// An open file.
class KeptSource::File {
 public:
  explicit File(int file) : file_(file) {}
  ~File() { ::close(file_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool read(std::int64_t offset, std::int64_t bytes, void* out) const {
    auto* to = static_cast<std::byte*>(out);
    while (bytes > 0) {
      const ssize_t got = ::pread(file_, to, static_cast<std::size_t>(bytes), offset);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      to += got;
      offset += got;
      bytes -= got;
    }
    return true;
  }

  bool is_whole(std::int64_t bytes) const {
    std::vector<std::byte> piece(static_cast<std::size_t>(std::min(kStored, bytes)));
    Checksum checksum;
    for (std::int64_t at = 0; at < bytes; at += kStored) {
      const std::int64_t size = std::min(kStored, bytes - at);
      if (!read(at, size, piece.data())) return false;
      checksum.update(piece.data(), static_cast<std::size_t>(size));
    }
    std::uint64_t written = 0;
    return read(bytes, kBehind, &written) && written == checksum.value();
  }

 private:
  const int file_;
};

KeptSource::KeptSource(ModelSource& source, const Digest& model, ContentFolder folder,
                       std::optional<DigestIndex> index,
                       std::function<void(const std::string& line)> say)
    : source_(source),
      model_(model),
      folder_(std::move(folder)),
      index_(std::move(index)),
      say_(std::move(say)) {}

KeptSource::~KeptSource() {
  if (index_) attempt([&] { index_->save(); });
}

template <class Work>
bool KeptSource::attempt(const Work& work) {
  try {
    work();
    return true;
  } catch (const InputError& error) {
    if (!std::exchange(told_, true) && say_)
      say_(fmt::format("not all is kept for the next run: {}", error.what()));
    return false;
  }
}

std::optional<Digest> KeptSource::digest(const WeightSpec& weight) {
  if (!index_) return std::nullopt;
  return index_->find(weight);
}

const KeptSource::File* KeptSource::kept(const WeightSpec& weight) {
  if (weight.dtype != DType::kInt8) return nullptr;
  const auto [place, is_new] = kept_.try_emplace(weight.name);
  Kept& found = place->second;
  if (found.file || !(is_new || found.is_there)) return found.file.get();
  const Digest name = name_of(weight, model_);
  const int descriptor = folder_.open(name, weight.bytes() + kBehind);
  if (descriptor < 0) return nullptr;
  found.file = std::make_unique<File>(descriptor);
  if (is_new) found.is_there = found.file->is_whole(weight.bytes());
  if (!found.is_there) {
    found.file.reset();
    folder_.remove(name);
  }
  return found.file.get();
}

void KeptSource::read(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
                      std::byte* out) {
  const File* file = kept(weight);
  if (file == nullptr || !file->read(offset, bytes, out)) source_.read(weight, offset, bytes, out);
  note(weight, offset, bytes, out);
}

void KeptSource::begin(const WeightSpec& weight, Progress& progress) {
  const std::int64_t size = weight.bytes() + kBehind;
  if (index_) progress.hasher = std::make_unique<Hasher>();
  if (weight.dtype != DType::kInt8 || kept_.at(weight.name).is_there || !folder_.fits(size)) return;
  attempt([&] { progress.writer = std::make_unique<ContentWriter>(folder_); });
  progress.checksum = std::make_unique<Checksum>();
}

void KeptSource::note(const WeightSpec& weight, std::int64_t offset, std::int64_t bytes,
                      const std::byte* data) {
  Progress& progress = progress_[weight.name];
  if (offset != progress.bytes) return;
  if (offset == 0) begin(weight, progress);
  const auto size = static_cast<std::size_t>(bytes);
  progress.bytes += bytes;
  const bool is_all = progress.bytes == weight.bytes();
  if (is_all) kept_[weight.name].file.reset();
  if (progress.hasher) {
    progress.hasher->update(data, size);
    if (is_all) index_->set(weight, progress.hasher->value());
  }
  if (!progress.writer) return;
  const bool went_well = attempt([&] {
    progress.writer->append(data, size);
    progress.checksum->update(data, size);
    if (!is_all) return;
    const std::uint64_t sum = progress.checksum->value();
    progress.writer->append(&sum, sizeof sum);
    progress.writer->finish(name_of(weight, model_));
  });
  if (is_all || !went_well) progress.writer.reset();
}

}  // namespace lingua
