#pragma once
// Tensors on disk in the safetensors format: read in pieces, written one piece at a time.
//
// Shapes: contiguous, row-major, little-endian, as the format says.
// Ownership: a Safetensors holds its file open and no contents; nothing is mapped (source_file.h).
// Errors: InputError names file, tensor and numbers. The files are not trusted: every size and
// offset is checked before it is used.
// Source: huggingface.co/docs/safetensors (format).

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/checkpoint/source_file.h"
#include "runtime/checkpoint/stored_weights.h"
#include "runtime/model/segment.h"

namespace lingua {

// One file.
class Safetensors {
 public:
  explicit Safetensors(const std::filesystem::path& path);

  const std::map<std::string, WeightSpec>& tensors() const { return tensors_; }

  // Copies bytes [offset, offset + bytes) of a tensor. REQUIRES: the file has it, and the range
  // lies in it. Errors: InputError when the file has shrunk or cannot be read.
  void read(const std::string& name, std::int64_t offset, std::int64_t bytes, std::byte* out) const;

 private:
  void parse_header(const std::string& header, std::uint64_t data_begin, std::uint64_t data_bytes);

  SourceFile file_;
  std::map<std::string, WeightSpec> tensors_;
  std::map<std::string, std::uint64_t> positions_;  // of the first byte, in the file
};

// The weights of a model folder: model.safetensors, or the shards that
// model.safetensors.index.json names, or without an index all of model-00001-of-0000N.safetensors.
class Checkpoint : public StoredWeights {
 public:
  // True when the folder has one of the three.
  static bool is_in(const std::filesystem::path& folder);

  explicit Checkpoint(const std::filesystem::path& folder);

  const std::string& path() const override { return path_; }
  std::vector<std::string> names() const override;
  const WeightSpec* find(const std::string& name) const override;
  void read(const std::string& name, std::int64_t offset, std::int64_t bytes,
            std::byte* out) const override;
  DType own_dtype() const override;

 private:
  void open_shards(const std::filesystem::path& folder);
  void open_without_index(const std::filesystem::path& folder);
  void add_file(const std::filesystem::path& path);

  std::string path_;
  std::vector<std::unique_ptr<Safetensors>> files_;
  std::map<std::string, const Safetensors*> where_;
};

// Writes a file of the given tensors. `fill` is called once for each, in order, and hands over its
// bytes through `append`, in as many pieces as it likes. The file appears whole or not at all.
// REQUIRES: fill appends exactly tensor.bytes() bytes.
using AppendBytes = std::function<void(const std::byte* bytes, std::int64_t count)>;
void write_safetensors(const std::filesystem::path& path, const std::vector<WeightSpec>& tensors,
                       const std::function<void(const WeightSpec&, const AppendBytes&)>& fill);

}  // namespace lingua
