#include "runtime/checkpoint/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/file_kind.h"
#include "runtime/checkpoint/json.h"

namespace lingua {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr std::uint64_t kMaxHeaderBytes = 16 << 20;
constexpr std::size_t kMaxDims = 16;
constexpr int kMaxShards = 10000;
constexpr int kHeaderDepth = 3;  // the header, a tensor, its shape
constexpr std::int64_t kMaxBytes = std::numeric_limits<std::int64_t>::max() / 8;

constexpr std::array<std::pair<const char*, DType>, 10> kDTypes = {{
    {"F32", DType::kFloat32},
    {"F64", DType::kFloat64},
    {"F16", DType::kFloat16},
    {"BF16", DType::kBFloat16},
    {"I64", DType::kInt64},
    {"I32", DType::kInt32},
    {"I16", DType::kInt16},
    {"I8", DType::kInt8},
    {"U8", DType::kUInt8},
    {"BOOL", DType::kBool},
}};

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string name;
};

// The header's entry of one tensor, checked by itself.
class Entry {
 public:
  Entry(const std::string& path, const std::string& name, const json& entry)
      : where_(fmt::format("{}: tensor {}", path, quoted(name))), entry_(entry) {
    if (!entry.is_object()) refuse("is not a JSON object");
    spec.name = name;
    spec.dtype = dtype();
    spec.shape = shape();
    range = data_offsets();
    range.name = name;
    if (range.end - range.begin != static_cast<std::uint64_t>(spec.bytes())) {
      refuse(fmt::format("data_offsets [{}, {}] hold {} bytes, but shape [{}] of {} needs {}",
                         range.begin, range.end, range.end - range.begin,
                         fmt::join(spec.shape, ", "), dtype_name(spec.dtype), spec.bytes()));
    }
  }

  WeightSpec spec;
  Range range;

 private:
  [[noreturn]] void refuse(const std::string& why) const {
    throw InputError(fmt::format("{}: {}", where_, why));
  }

  const json& field(const char* name) const {
    const auto it = entry_.find(name);
    if (it == entry_.end()) refuse(fmt::format("field '{}' is missing", name));
    return *it;
  }

  DType dtype() const {
    const json& value = field("dtype");
    std::string accepted;
    for (const auto& [name, dtype] : kDTypes) {
      if (value == name) return dtype;
      accepted += std::string(accepted.empty() ? "" : ", ") + name;
    }
    const std::string shown =
        value.is_string() ? quoted(value.get<std::string>()) : value.type_name();
    refuse(fmt::format("dtype {} is not supported; supported are {}", shown, accepted));
  }

  std::vector<std::int64_t> shape() const {
    const json& value = field("shape");
    if (!value.is_array() || value.size() > kMaxDims) {
      refuse(fmt::format("shape is not a list of at most {} dimensions", kMaxDims));
    }
    std::vector<std::int64_t> dims;
    std::int64_t elements = 1;  // zeros left out: any order of multiplying must fit
    for (const json& dim : value) {
      const bool fits =
          dim.is_number_unsigned() && dim.get<std::uint64_t>() <= std::uint64_t(kMaxBytes);
      if (!fits) refuse("shape has a dimension that is not an integer from 0 up");
      dims.push_back(dim.get<std::int64_t>());
      const std::int64_t factor = std::max(dims.back(), std::int64_t{1});
      if (elements > kMaxBytes / 8 / factor) {
        refuse("shape has more elements than a file can hold");
      }
      elements *= factor;
    }
    return dims;
  }

  Range data_offsets() const {
    const json& value = field("data_offsets");
    const bool two = value.is_array() && value.size() == 2 && value[0].is_number_unsigned() &&
                     value[1].is_number_unsigned();
    if (!two || value[0].get<std::uint64_t>() > value[1].get<std::uint64_t>()) {
      refuse("data_offsets is not a pair [begin, end] of integers from 0 up");
    }
    return {value[0].get<std::uint64_t>(), value[1].get<std::uint64_t>(), ""};
  }

  std::string where_;
  const json& entry_;
};

// The format wants the tensors to fill the data without overlaps and holes.
void check_ranges(const std::string& path, std::vector<Range> ranges, std::uint64_t data_bytes) {
  for (const Range& range : ranges) {
    if (range.end > data_bytes) {
      throw InputError(fmt::format(
          "{}: tensor {} ends at byte {} of the data, but the file holds {} (is it truncated?)",
          path, quoted(range.name), range.end, data_bytes));
    }
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t at = 0;
  for (const Range& range : ranges) {
    if (range.begin != at) {
      throw InputError(fmt::format(
          "{}: tensor {} begins at byte {} of the data; {} at {}", path, quoted(range.name),
          range.begin, range.begin < at ? "it overlaps the one that ends" : "there is a hole", at));
    }
    at = range.end;
  }
  if (at != data_bytes) {
    throw InputError(fmt::format("{}: holds {} bytes of data, but its tensors end at byte {}", path,
                                 data_bytes, at));
  }
}

// The place of a shard: "model-00002-of-00003.safetensors".
struct Shard {
  int index = 0;
  int count = 0;
};

std::optional<Shard> shard_of(const std::string& name) {
  Shard shard;
  int end = 0;
  const int read =
      std::sscanf(name.c_str(), "model-%5d-of-%5d.safetensors%n", &shard.index, &shard.count, &end);
  if (read != 2 || end != static_cast<int>(name.size())) return std::nullopt;
  if (shard.index < 1 || shard.count < 1) return std::nullopt;
  return shard;
}

// The shards of a folder by name.
std::map<std::string, Shard> shards_in(const fs::path& folder) {
  std::map<std::string, Shard> shards;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (const auto shard = shard_of(name)) shards.emplace(name, *shard);
  }
  return shards;
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) {
    text += (i > 0 ? ", " : "") + names[i];
  }
  return names.size() > kShown ? text + ", ..." : text;
}

// Every file of an index is in its folder.
void check_shards(const fs::path& folder, const std::string& index, const json& map) {
  std::set<std::string> files;
  for (const auto& [name, value] : map.items()) {
    const std::string file = value.is_string() ? value.get<std::string>() : "";
    if (file.empty() || file != fs::path(file).filename() || file == "." || file == "..") {
      throw InputError(fmt::format("{}: weight_map: {} is not in a file of this folder but in {}",
                                   index, quoted(name),
                                   value.is_string() ? quoted(file) : value.type_name()));
    }
    files.insert(file);
  }
  std::vector<std::string> missing;
  std::error_code error;
  for (const std::string& file : files) {
    if (!fs::exists(folder / file, error)) missing.push_back(quoted(file));
  }
  if (missing.empty()) return;
  throw InputError(fmt::format(
      "{}: names {} {}, of which {} {} missing here: {}; download {} into the same folder", index,
      files.size(), files.size() == 1 ? "file" : "files", missing.size(),
      missing.size() == 1 ? "is" : "are", listed(missing), missing.size() == 1 ? "it" : "them"));
}

}  // namespace

Safetensors::Safetensors(const fs::path& path) : file_(path) {
  if (const FileFacts facts = identify_file(path);
      facts.kind != FileKind::kSafetensors && facts.kind != FileKind::kUnknown) {
    throw InputError(
        fmt::format("{}: {}; a safetensors file is needed", file_.path(), facts.words));
  }
  const std::uint64_t size = file_.bytes();
  std::uint64_t header_bytes = 0;
  if (size < sizeof header_bytes) {
    throw InputError(
        fmt::format("{}: {} bytes are too few for a safetensors file", file_.path(), size));
  }
  file_.read(0, sizeof header_bytes, reinterpret_cast<std::byte*>(&header_bytes));
  if (header_bytes > kMaxHeaderBytes || header_bytes > size - sizeof header_bytes) {
    throw InputError(
        fmt::format("{}: its header claims {} bytes, but the file has {} after the first 8 and at "
                    "most {} are read",
                    file_.path(), header_bytes, size - sizeof header_bytes, kMaxHeaderBytes));
  }
  std::string header(header_bytes, '\0');
  file_.read(sizeof header_bytes, header_bytes, reinterpret_cast<std::byte*>(header.data()));
  const std::uint64_t data_begin = sizeof header_bytes + header_bytes;
  parse_header(header, data_begin, size - data_begin);
}

void Safetensors::parse_header(const std::string& header, std::uint64_t data_begin,
                               std::uint64_t data_bytes) {
  const json entries = parse_json(header, file_.path() + ": header", kHeaderDepth);
  if (!entries.is_object())
    throw InputError(fmt::format("{}: header is not a JSON object", file_.path()));
  std::vector<Range> ranges;
  for (const auto& [name, value] : entries.items()) {
    if (name == "__metadata__") continue;
    Entry entry(file_.path(), name, value);
    ranges.push_back(entry.range);
    positions_[name] = data_begin + entry.range.begin;
    tensors_[name] = std::move(entry.spec);
  }
  check_ranges(file_.path(), std::move(ranges), data_bytes);
}

void Safetensors::read(const std::string& name, std::int64_t offset, std::int64_t bytes,
                       std::byte* out) const {
  const auto spec = tensors_.find(name);
  LINGUA_CHECK(spec != tensors_.end(), "{} has no tensor {}", file_.path(), name);
  LINGUA_CHECK(offset >= 0 && bytes >= 0 && offset <= spec->second.bytes() - bytes,
               "{} bytes at {} of {}", bytes, offset, name);
  file_.read(positions_.at(name) + static_cast<std::uint64_t>(offset),
             static_cast<std::uint64_t>(bytes), out);
}

bool Checkpoint::is_in(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / "model.safetensors", error) ||
         fs::exists(folder / "model.safetensors.index.json", error) || !shards_in(folder).empty();
}

Checkpoint::Checkpoint(const fs::path& folder) {
  std::error_code error;
  const fs::path single = folder / "model.safetensors";
  if (fs::exists(single, error)) {
    path_ = single.string();
    add_file(single);
  } else if (fs::exists(folder / "model.safetensors.index.json", error)) {
    open_shards(folder);
  } else {
    open_without_index(folder);
  }
}

// All of its tensors.
void Checkpoint::add_file(const fs::path& path) {
  files_.push_back(std::make_unique<Safetensors>(path));
  for (const auto& [name, spec] : files_.back()->tensors()) {
    if (where_.emplace(name, files_.back().get()).second) continue;
    throw InputError(
        fmt::format("{}: tensor {} stands in another file of the folder too, and there is no "
                    "model.safetensors.index.json to say which one is meant",
                    path.string(), quoted(name)));
  }
}

void Checkpoint::open_without_index(const fs::path& folder) {
  path_ = folder.string();
  const auto shards = shards_in(folder);
  const int count = shards.begin()->second.count;
  std::vector<std::string> missing;
  for (int i = 1; i <= std::min(count, kMaxShards); ++i) {
    std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i, count);
    if (!shards.contains(name)) missing.push_back(std::move(name));
  }
  if (!missing.empty()) {
    throw InputError(fmt::format(
        "{}: is one of {} shards, of which {} are missing here: {}; "
        "download them into the same folder",
        (folder / shards.begin()->first).string(), count, missing.size(), listed(missing)));
  }
  for (const auto& [name, shard] : shards) {
    if (shard.count != count) {
      throw InputError(
          fmt::format("{}: is a shard of {}, beside shards of {}; one set of shards "
                      "or model.safetensors.index.json is needed",
                      (folder / name).string(), shard.count, count));
    }
    add_file(folder / name);
  }
}

DType Checkpoint::own_dtype() const {
  DTypeCount count;
  for (const auto& [name, file] : where_) {
    const WeightSpec& spec = file->tensors().at(name);
    count.add(spec.dtype,
              static_cast<double>(spec.bytes()) / static_cast<double>(dtype_bytes(spec.dtype)));
  }
  return count.own();
}

void Checkpoint::open_shards(const fs::path& folder) {
  const fs::path index = folder / "model.safetensors.index.json";
  path_ = index.string();
  const json content = parse_json(read_file(index, kMaxHeaderBytes), path_, kHeaderDepth);
  const auto map = content.is_object() ? content.find("weight_map") : content.end();
  if (map == content.end() || !map->is_object()) {
    throw InputError(fmt::format("{}: field 'weight_map' is missing or not a JSON object", path_));
  }
  check_shards(folder, path_, *map);
  std::map<std::string, const Safetensors*> by_file;
  for (const auto& [name, value] : map->items()) {
    const auto file = value.get<std::string>();
    const Safetensors*& shard = by_file[file];
    if (shard == nullptr) {
      files_.push_back(std::make_unique<Safetensors>(folder / file));
      shard = files_.back().get();
    }
    if (!shard->tensors().contains(name)) {
      throw InputError(fmt::format("{}: has no tensor {}, which {} puts there",
                                   (folder / file).string(), quoted(name), path_));
    }
    where_[name] = shard;
  }
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : where_) names.push_back(name);
  return names;
}

const WeightSpec* Checkpoint::find(const std::string& name) const {
  const auto it = where_.find(name);
  return it == where_.end() ? nullptr : &it->second->tensors().at(name);
}

void Checkpoint::read(const std::string& name, std::int64_t offset, std::int64_t bytes,
                      std::byte* out) const {
  LINGUA_CHECK(where_.contains(name), "{} has no tensor {}", path_, name);
  where_.at(name)->read(name, offset, bytes, out);
}

void write_safetensors(const fs::path& path, const std::vector<WeightSpec>& tensors,
                       const std::function<void(const WeightSpec&, const AppendBytes&)>& fill) {
  nlohmann::ordered_json entries = nlohmann::ordered_json::object();
  entries["__metadata__"] = {{"format", "pt"}};
  std::int64_t at = 0;
  for (const WeightSpec& tensor : tensors) {
    const auto dtype = std::find_if(kDTypes.begin(), kDTypes.end(),
                                    [&](const auto& row) { return row.second == tensor.dtype; });
    LINGUA_CHECK(dtype != kDTypes.end() && !entries.contains(tensor.name), "tensor {}",
                 tensor.name);
    entries[tensor.name] = {{"dtype", dtype->first},
                            {"shape", tensor.shape},
                            {"data_offsets", {at, at + tensor.bytes()}}};
    at += tensor.bytes();
  }
  std::string header = entries.dump();
  header.append((8 - header.size() % 8) % 8, ' ');
  write_file_atomically(path, [&](std::ostream& out) {
    const std::uint64_t header_bytes = header.size();
    out.write(reinterpret_cast<const char*>(&header_bytes), sizeof header_bytes);
    out << header;
    for (const WeightSpec& tensor : tensors) {
      std::int64_t left = tensor.bytes();
      fill(tensor, [&](const std::byte* bytes, std::int64_t count) {
        LINGUA_CHECK(count <= left, "too many bytes of {}", tensor.name);
        left -= count;
        out.write(reinterpret_cast<const char*>(bytes), count);
        if (!out)
          throw InputError(fmt::format("{}: cannot be written (is the disk full?)", path.string()));
      });
      LINGUA_CHECK(left == 0, "{} bytes of {} are missing", left, tensor.name);
    }
  });
}

}  // namespace lingua
