#include "runtime/torch/torch_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

constexpr std::uint32_t kRecordSignature = 0x04034b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kWideEndSignature = 0x06064b50;  // of ZIP64, which LibTorch writes always
constexpr std::uint32_t kWidePlaceSignature = 0x07064b50;
constexpr std::size_t kRecordBytes = 30;
constexpr std::size_t kEntryBytes = 46;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kWideEndBytes = 56;
constexpr std::size_t kWidePlaceBytes = 20;
constexpr std::size_t kLongestName = 512;
constexpr std::uint64_t kMostDirectoryBytes = 64 << 20;
constexpr std::uint64_t kMostUnpacked = 64 << 20;  // of text, which is what LibTorch packs
constexpr std::uint64_t kStored = 0;
constexpr std::uint64_t kDeflated = 8;
constexpr std::uint64_t kIsElsewhere = 0xffffffff;  // the field is in the extra fields
constexpr std::uint64_t kWideField = 1;
constexpr std::string_view kFlatbuffer = "PTMF";  // at byte 4: LibTorch takes such a file for one

[[noreturn]] void fail(const std::string& why) { throw InputError(why); }

// Little-endian. REQUIRES: it lies inside.
std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = count; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  }
  return value;
}

// CRC-32 as in ZIP (reflected polynomial 0xEDB88320).
std::uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> all{};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ ((value & 1U) != 0 ? 0xedb88320U : 0U);
      all[i] = value;
    }
    return all;
  }();
  std::uint32_t sum = 0xffffffffU;
  for (const char c : bytes) sum = sum >> 8 ^ table[(sum ^ static_cast<unsigned char>(c)) & 0xffU];
  return ~sum;
}

// The fields of an entry that do not fit 32 bits, in their order.
class WideFields {
 public:
  explicit WideFields(std::string_view extra) {
    while (extra.size() >= 4) {
      const std::uint64_t size = number(extra, 2, 2);
      if (size > extra.size() - 4) return;
      if (number(extra, 0, 2) == kWideField) {
        fields_ = extra.substr(4, size);
        return;
      }
      extra.remove_prefix(4 + size);
    }
  }
  void replace(std::uint64_t* value) {
    if (*value != kIsElsewhere) return;
    if (fields_.size() < 8) fail("its directory is damaged: a size is missing");
    *value = number(fields_, 0, 8);
    fields_.remove_prefix(8);
  }

 private:
  std::string_view fields_;
};

}  // namespace

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

TorchArchive::TorchArchive(std::uint64_t bytes, Read read) : bytes_(bytes), read_(std::move(read)) {
  read_directory();
}

TorchArchive::TorchArchive(std::string_view bytes)
    : TorchArchive(bytes.size(), [bytes](std::uint64_t at, std::uint64_t count) {
        return std::string(bytes.substr(at, count));
      }) {}

void TorchArchive::read_directory() {
  if (bytes_ < kRecordBytes + kEndBytes) fail("it is too short for an archive");
  const std::string front = read_(0, 8);
  if (number(front, 0, 4) != kRecordSignature || front.substr(4) == kFlatbuffer) {
    fail("it does not begin as an archive");
  }
  const std::uint64_t last = bytes_ - kEndBytes;
  const std::string ending = read_(last, kEndBytes);
  if (number(ending, 0, 4) != kEndSignature) fail("it has no directory at its end");
  std::uint64_t entries = number(ending, 10, 2);
  std::uint64_t size = number(ending, 12, 4);
  directory_ = number(ending, 16, 4);
  std::uint64_t end = last;
  constexpr std::uint64_t kWideBytes = kWideEndBytes + kWidePlaceBytes;
  if (last >= kWideBytes) {
    const std::string wide = read_(last - kWideBytes, kWideBytes);
    if (number(wide, kWideEndBytes, 4) == kWidePlaceSignature) {
      end = last - kWideBytes;
      if (number(wide, 0, 4) != kWideEndSignature || number(wide, kWideEndBytes + 8, 8) != end) {
        fail("its directory is not where it says");
      }
      const auto widen = [&](std::uint64_t* value, std::size_t at, std::uint64_t elsewhere) {
        const std::uint64_t wide_value = number(wide, at, 8);
        if (*value != elsewhere && *value != wide_value) fail("it has two directories");
        *value = wide_value;
      };
      widen(&entries, 32, 0xffff);
      widen(&size, 40, kIsElsewhere);
      widen(&directory_, 48, kIsElsewhere);
    }
  }
  if (directory_ > end || size != end - directory_) fail("its directory is not where it says");
  if (size > kMostDirectoryBytes) fail("its directory is too large");

  const std::string directory = read_(directory_, size);
  std::string_view rest = directory;
  std::set<std::string> known;
  for (std::uint64_t i = 0; i < entries; ++i) {
    const auto damaged = [&] { fail(fmt::format("entry {} of its directory is damaged", i + 1)); };
    if (rest.size() < kEntryBytes || number(rest, 0, 4) != kEntrySignature) damaged();
    const std::size_t name_bytes = number(rest, 28, 2);
    const std::size_t extra_bytes = number(rest, 30, 2);
    const std::size_t whole = kEntryBytes + name_bytes + extra_bytes + number(rest, 32, 2);
    if (name_bytes == 0 || name_bytes > kLongestName || whole > rest.size()) damaged();
    const std::string_view name = rest.substr(kEntryBytes, name_bytes);
    // LibTorch looks names up without regard to case.
    if (!known.insert(lower_case(std::string(name))).second) {
      fail(fmt::format("it has two records '{}'", one_line(std::string(name))));
    }
    add_record(rest, name, rest.substr(kEntryBytes + name_bytes, extra_bytes));
    rest.remove_prefix(whole);
  }
  if (!rest.empty()) fail("its directory has another length than it says");
}

void TorchArchive::add_record(std::string_view entry, std::string_view name,
                              std::string_view extra) {
  const std::string full_name(name);
  const std::string shown = one_line(full_name);
  if (folder_.empty()) folder_ = full_name.substr(0, full_name.find('/') + 1);
  if (folder_.empty() || !full_name.starts_with(folder_) || full_name.size() == folder_.size()) {
    fail(fmt::format("its record '{}' is in no folder, or in another than the rest", shown));
  }
  const std::uint64_t method = number(entry, 10, 2);
  ArchiveRecord record;
  record.is_packed = method == kDeflated;
  record.sum = static_cast<std::uint32_t>(number(entry, 16, 4));
  record.stored = number(entry, 20, 4);
  record.bytes = number(entry, 24, 4);
  record.at = number(entry, 42, 4);
  WideFields wide(extra);
  wide.replace(&record.bytes);
  wide.replace(&record.stored);
  wide.replace(&record.at);
  if ((method != kStored && method != kDeflated) || (number(entry, 8, 2) & 1U) != 0) {
    fail(fmt::format("its record '{}' is packed in a way that programs are not", shown));
  }
  if (record.is_packed ? record.bytes > kMostUnpacked : record.stored != record.bytes) {
    fail(fmt::format("its record '{}' has a size that it cannot have", shown));
  }
  check_record(full_name, &record);
  records_.emplace(full_name.substr(folder_.size()), record);
}

// Finds its bytes behind the second copy of its entry, which stands before them.
void TorchArchive::check_record(const std::string& full_name, ArchiveRecord* record) const {
  const auto damaged = [&] {
    fail(fmt::format("its record '{}' is damaged", one_line(full_name)));
  };
  if (record->at > directory_ || directory_ - record->at < kRecordBytes) damaged();
  const std::string front = read_(record->at, kRecordBytes);
  const std::uint64_t name_bytes = number(front, 26, 2);
  const std::uint64_t before = kRecordBytes + name_bytes + number(front, 28, 2);
  const std::uint64_t left = directory_ - record->at;
  if (number(front, 0, 4) != kRecordSignature || before > left || record->stored > left - before ||
      number(front, 8, 2) != (record->is_packed ? kDeflated : kStored) ||
      read_(record->at + kRecordBytes, name_bytes) != full_name) {
    damaged();
  }
  record->at += before;
}

std::string TorchArchive::contents(const std::string& name) const {
  const auto found = records_.find(name);
  if (found == records_.end()) fail(fmt::format("it has no record '{}'", name));
  const ArchiveRecord& record = found->second;
  if (record.is_packed) fail(fmt::format("its record '{}' is packed", name));
  return read_(record.at, record.stored);
}

void TorchArchive::check_sums() const {
  for (const auto& [name, record] : records_) {
    if (record.is_packed || crc32(read_(record.at, record.stored)) == record.sum) continue;
    fail(fmt::format("its record '{}' is damaged", one_line(name)));
  }
}

}  // namespace lingua
