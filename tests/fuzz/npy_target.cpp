#include <sstream>

#include "runtime/checkpoint/npy.h"
#include "tests/fuzz/target.h"
#include "tests/support/memory_file.h"

namespace lingua::testing {
namespace {

void run(const std::string& bytes) {
  static const MemoryFile content;
  content.write(bytes);
  const NpyArray array = read_npy(content.path());
  std::ostringstream out;
  write_npy(out, array.dtype, array.shape, array.data.data());
}

std::string file_of(DType dtype, const std::vector<std::int64_t>& shape, bool fortran) {
  const std::vector<std::byte> data(64);
  std::ostringstream out;
  write_npy(out, dtype, shape, data.data());
  std::string file = out.str();
  if (fortran) file.replace(file.find("False"), 5, "True ");
  return file;
}

std::vector<std::string> samples() {
  return {file_of(DType::kFloat32, {}, false), file_of(DType::kInt64, {2, 3}, true),
          file_of(DType::kBool, {7}, false), file_of(DType::kFloat64, {0, 5}, false)};
}

}  // namespace

FuzzTarget npy_target() { return {"npy", run, samples}; }

}  // namespace lingua::testing
