#pragma once
// The weights of a model on disk, by name, whatever format holds them.
//
// Ownership: files stay open (or mapped) as long as the object lives; no contents are held.
// Threads: reading from several threads is safe.
// Errors: InputError names file, tensor and numbers; nothing in the files is trusted.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/model/segment.h"

namespace lingua {

// Counts the elements of weights by how they are stored.
class DTypeCount {
 public:
  void add(DType stored, double elements) {
    if (stored == DType::kFloat32 || stored == DType::kFloat64) wide_ += elements;
    if (stored == DType::kFloat16 || stored == DType::kBFloat16) narrow_ += elements;
  }
  DType own() const { return wide_ >= narrow_ ? DType::kFloat32 : DType::kBFloat16; }

 private:
  double wide_ = 0;
  double narrow_ = 0;
};

class StoredWeights {
 public:
  virtual ~StoredWeights() = default;

  // The file that names the weights: for error messages.
  virtual const std::string& path() const = 0;

  virtual std::vector<std::string> names() const = 0;  // sorted

  // Null when there is no such tensor. The spec's dtype is the one that read() gives: the stored
  // one, or float32 for formats that are dequantised on the way.
  virtual const WeightSpec* find(const std::string& name) const = 0;

  // Copies bytes [offset, offset + bytes) of a tensor, row-major in its spec's dtype, to `out`.
  // REQUIRES: find(name) != nullptr; the range lies in the tensor and on whole elements.
  virtual void read(const std::string& name, std::int64_t offset, std::int64_t bytes,
                    std::byte* out) const = 0;

  // What the model computes in unless asked otherwise: float32 when at least half of the elements
  // of its floating-point weights are stored as float32 or float64, else bfloat16 (stored as
  // bfloat16 or float16, or quantised).
  virtual DType own_dtype() const = 0;
};

}  // namespace lingua
