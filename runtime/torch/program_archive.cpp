#include "runtime/torch/program_archive.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <set>

namespace lingua {
namespace {

constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::uint32_t kRecordSignature = 0x04034b50;
constexpr std::uint32_t kWideEndSignature = 0x06064b50;  // of ZIP64, which LibTorch writes always
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kWideEndBytes = 56 + 20;  // with the record that says where it stands
constexpr std::size_t kEntryBytes = 46;
constexpr std::size_t kRecordBytes = 30;
constexpr std::size_t kLongestName = 512;
constexpr std::uint64_t kStored = 0;
constexpr std::uint64_t kDeflated = 8;
constexpr std::uint64_t kMostUnpacked = 64 << 20;  // of text that LibTorch writes for a program

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

class Archive {
 public:
  explicit Archive(std::string_view bytes) : bytes_(bytes) {}

  std::string damage() {
    if (bytes_.size() < kEndBytes || number(bytes_.size() - kEndBytes, 4) != kEndSignature) {
      return "it has no directory at its end";
    }
    const std::size_t last = bytes_.size() - kEndBytes;
    const std::uint64_t entries = number(last + 10, 2);
    directory_ = number(last + 16, 4);
    const std::size_t end = directory_ + number(last + 12, 4);
    const bool is_wide =
        last >= kWideEndBytes && end == last - kWideEndBytes && number(end, 4) == kWideEndSignature;
    if (end != last && !is_wide) return "its directory is not where it says";
    std::size_t at = directory_;
    for (std::uint64_t i = 0; i < entries; ++i) {
      if (std::string wrong = entry(at, end); !wrong.empty()) return wrong;
    }
    if (at != end) return "its directory has another length than it says";
    for (const char* needed : {"/bytecode.pkl", "/version"}) {
      if (!has(needed)) return fmt::format("it has no record '{}'", needed + 1);
    }
    return "";
  }

 private:
  // Little-endian. REQUIRES: it lies inside.
  std::uint64_t number(std::size_t at, std::size_t count) const {
    std::uint64_t value = 0;
    for (std::size_t i = count; i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(bytes_[at + i]);
    }
    return value;
  }

  bool has(std::string_view ending) const {
    for (const std::string_view name : names_) {
      if (name.ends_with(ending)) return true;
    }
    return false;
  }

  // Takes one entry of the directory, which ends at `end`.
  std::string entry(std::size_t& at, std::size_t end) {
    if (end - at < kEntryBytes || number(at, 4) != kEntrySignature) {
      return fmt::format("entry {} of its directory is damaged", names_.size() + 1);
    }
    const std::size_t name_bytes = number(at + 28, 2);
    const std::size_t whole = kEntryBytes + name_bytes + number(at + 30, 2) + number(at + 32, 2);
    if (name_bytes == 0 || name_bytes > kLongestName || whole > end - at) {
      return fmt::format("entry {} of its directory is damaged", names_.size() + 1);
    }
    const std::string_view name = bytes_.substr(at + kEntryBytes, name_bytes);
    const std::size_t start = at;
    at += whole;
    if (!names_.insert(name).second) return fmt::format("it has two records '{}'", name);
    const std::uint64_t method = number(start + 10, 2);
    const std::uint64_t packed = number(start + 20, 4);
    const std::uint64_t unpacked = number(start + 24, 4);
    if ((method != kStored && method != kDeflated) || (number(start + 8, 2) & 1U) != 0) {
      return fmt::format("its record '{}' is packed in a way that programs are not", name);
    }
    if (method == kStored ? packed != unpacked : unpacked > kMostUnpacked) {
      return fmt::format("its record '{}' has a size that it cannot have", name);
    }
    return record(name, number(start + 42, 4), packed, method,
                  static_cast<std::uint32_t>(number(start + 16, 4)));
  }

  std::string record(std::string_view name, std::size_t at, std::size_t size, std::uint64_t method,
                     std::uint32_t sum) const {
    const std::string damaged = fmt::format("its record '{}' is damaged", name);
    if (at > directory_ || directory_ - at < kRecordBytes || number(at, 4) != kRecordSignature) {
      return damaged;
    }
    const std::size_t name_bytes = number(at + 26, 2);
    const std::size_t front = kRecordBytes + name_bytes + number(at + 28, 2);
    if (front > directory_ - at || size > directory_ - at - front || number(at + 8, 2) != method ||
        bytes_.substr(at + kRecordBytes, name_bytes) != name) {
      return damaged;
    }
    if (method == kDeflated) return "";
    return crc32(bytes_.substr(at + front, size)) == sum ? "" : damaged;
  }

  std::string_view bytes_;
  std::size_t directory_ = 0;
  std::set<std::string_view> names_;
};

}  // namespace

std::string damage_of_archive(std::string_view bytes) { return Archive(bytes).damage(); }

}  // namespace lingua
