#pragma once
// Arrays in NumPy's .npy format, versions 1 to 3.
//
// Shapes: any number of dimensions up to 32. In memory row-major and little-endian, whatever order
// and endianness the file has.
// Errors: InputError names file, field, value and what is accepted. Files are not trusted: nothing is
// allocated before the header's sizes fit the file, and no pickle is ever read.
// Source: numpy.lib.format (NumPy enhancement proposal 1).

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/model/graph.h"

namespace lingua {

struct NpyArray {
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;
};

NpyArray read_npy(const std::filesystem::path& path);

// Writes version 1.0, as np.save does. bf16, which NumPy lacks, is widened to float32.
void write_npy(std::ostream& out, DType dtype, const std::vector<std::int64_t>& shape,
               const std::byte* data);

}  // namespace lingua
