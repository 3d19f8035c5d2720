#include "runtime/cache/digest_index.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigits = 64;
constexpr std::size_t kLine = 2 * kDigits + 2;  // KEY DIGEST\n
constexpr std::size_t kMostModels = 256;
constexpr std::uint64_t kMostBytes = 16 << 20;

std::string state_of_file(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fmt::format("{}: none\n", path.string());
  return fmt::format("{}: {} bytes, file {} of {}, changed {}.{:09}\n", path.string(),
                     status.st_size, status.st_ino, status.st_dev, status.st_mtim.tv_sec,
                     status.st_mtim.tv_nsec);
}

std::map<Digest, Digest> parse(const std::string& text) {
  std::map<Digest, Digest> digests;
  for (std::size_t at = 0; at < text.size(); at += kLine) {
    const std::string_view line = std::string_view(text).substr(at, kLine);
    if (line.size() != kLine || line[kDigits] != ' ' || line.back() != '\n') return {};
    const auto key = parse_digest(line.substr(0, kDigits));
    const auto digest = parse_digest(line.substr(kDigits + 1, kDigits));
    if (!key || !digest) return {};
    digests[*key] = *digest;
  }
  return digests;
}

// Those that were written longest ago go.
void keep_few(const fs::path& folder) {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code error;
  for (const fs::directory_entry& file : fs::directory_iterator(folder, error)) {
    if (!parse_digest(file.path().filename().string())) continue;
    const fs::file_time_type written = file.last_write_time(error);
    if (!error) files.emplace_back(written, file.path());
  }
  std::sort(files.begin(), files.end());
  for (std::size_t i = 0; i + kMostModels < files.size(); ++i) fs::remove(files[i].second, error);
}

}  // namespace

Digest state_of(const std::vector<fs::path>& paths, const std::string& how) {
  std::string state = how + '\n';
  for (const fs::path& path : paths) {
    std::error_code error;
    const fs::path found = fs::canonical(path, error);
    const fs::path& whole = error ? path : found;
    std::vector<fs::path> files;
    for (const fs::directory_entry& file : fs::directory_iterator(whole, error)) {
      if (file.is_regular_file(error)) files.push_back(file.path());
    }
    std::sort(files.begin(), files.end());
    if (files.empty()) files.push_back(whole);
    for (const fs::path& file : files) state += state_of_file(file);
  }
  return digest_of(state);
}

Digest name_of(const WeightSpec& weight, const Digest& model) {
  return digest_of(fmt::format("{} {} [{}] {}", model.text(), dtype_name(weight.dtype),
                               fmt::join(weight.shape, ", "), weight.name));
}

DigestIndex::DigestIndex(fs::path folder, const Digest& model)
    : folder_(std::move(folder)), model_(model) {
  const fs::path file = folder_ / model_.text();
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return;
  try {
    digests_ = parse(read_file(file, kMostBytes));
  } catch (const InputError&) {  // as if it were not there
  }
}

std::optional<Digest> DigestIndex::find(const WeightSpec& weight) const {
  const auto found = digests_.find(name_of(weight, model_));
  if (found == digests_.end()) return std::nullopt;
  return found->second;
}

void DigestIndex::set(const WeightSpec& weight, const Digest& digest) {
  const auto [place, is_new] = digests_.emplace(name_of(weight, model_), digest);
  if (!is_new && place->second == digest) return;
  place->second = digest;
  changed_ = true;
}

void DigestIndex::save() {
  if (!std::exchange(changed_, false)) return;
  std::error_code error;
  fs::create_directories(folder_, error);
  write_file_atomically(folder_ / model_.text(), [&](std::ostream& out) {
    for (const auto& [key, digest] : digests_) out << key.text() << ' ' << digest.text() << '\n';
  });
  keep_few(folder_);
}

}  // namespace lingua
