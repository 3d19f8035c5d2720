#pragma once
// GGUF files: metadata and tensors as they stand there, under the names of the file.
//
// Shapes: row-major, outermost dimension first (the reverse of the order in the file).
// DTypes: F32, F16, BF16 as they are; Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K and IQ4_NL are
// dequantised to float32 as they are read.
// Ownership: the metadata is held, the tensors stay in the file and are read from there in small
// pieces (not mapped: see source_file.h).
// Threads: reading from several threads is safe.
// Errors: InputError names file, key or tensor, and numbers. Nothing in the file is trusted: every
// count, length and offset is checked against what is left of the file before it is used, nothing
// is allocated that the file's own size does not vouch for, and text is UTF-8. A tensor of another
// type, one that overlaps another or reaches beyond the file is refused when the file is opened.
// Source: github.com/ggml-org/ggml/blob/master/docs/gguf.md (format, versions 2 and 3).

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "runtime/checkpoint/stored_weights.h"

namespace lingua {

class Gguf : public StoredWeights {
 public:
  // One value of the metadata. Integers of all widths are int64 (a uint64 beyond that is refused),
  // floats are double. Arrays of arrays are refused.
  using Value = std::variant<std::int64_t, double, bool, std::string, std::vector<std::int64_t>,
                             std::vector<double>, std::vector<bool>, std::vector<std::string>>;

  // True when the file begins as GGUF files do.
  static bool is_gguf(const std::filesystem::path& path);

  explicit Gguf(const std::filesystem::path& path);
  ~Gguf() override;
  Gguf(const Gguf&) = delete;
  Gguf& operator=(const Gguf&) = delete;

  // Of the metadata, in the order of the alphabet.
  std::vector<std::string> keys() const;
  // Null when the metadata has no such key.
  const Value* find_value(const std::string& key) const;
  // The value of a key. Type is one of Value's. Errors: InputError when it is missing or of another
  // type.
  template <class Type>
  const Type& value(const std::string& key) const;

  const std::string& path() const override;
  std::vector<std::string> names() const override;
  const WeightSpec* find(const std::string& name) const override;
  void read(const std::string& name, std::int64_t offset, std::int64_t bytes,
            std::byte* out) const override;
  DType own_dtype() const override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lingua
