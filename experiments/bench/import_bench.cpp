// What an import costs: peak memory and time of one process that imports a model, makes the program
// of every segment and reads every weight once in the pieces in which a deployment sends them.
//   import_bench MODEL DTYPE
// Nothing is kept, so the peak may be 4 x the largest weight + 300 MB. The rate counts the bytes that
// are read out, in DTYPE. Exit code 1 when the peak is higher.

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <set>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/engine/deployment.h"
#include "runtime/partition/partition.h"
#include "runtime/torch/import.h"

namespace lingua {
namespace {

double peak_bytes() {
  struct rusage usage {};
  LINGUA_CHECK(::getrusage(RUSAGE_SELF, &usage) == 0 && usage.ru_maxrss > 0);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int run(const std::string& model, const std::string& dtype) {
  const auto begin = std::chrono::steady_clock::now();
  ImportOptions options;
  options.dtype = parse_dtype(dtype);
  const ImportedModel imported = import_model(model, options);
  const Segmentation segmentation = partition(imported.graph, {});
  if (!imported.source->has_data()) throw UsageError(fmt::format("{} has no weights", model));
  const double imported_s = seconds_since(begin);
  std::vector<std::byte> piece(static_cast<std::size_t>(Deployment{}.chunk_bytes));
  Checksum sum;
  std::set<std::string> seen;
  double largest = 0;
  double total = 0;
  for (const Segment& segment : segmentation.segments) {
    const std::string program = imported.source->program(segment);
    sum.update(program.data(), program.size());
    for (const WeightSpec& weight : segment.weights) {
      if (!seen.insert(weight.name).second) continue;
      largest = std::max(largest, static_cast<double>(weight.bytes()));
      total += static_cast<double>(weight.bytes());
      for (std::int64_t at = 0; at < weight.bytes();) {
        const auto bytes = std::min<std::int64_t>(weight.bytes() - at, std::ssize(piece));
        imported.source->read(weight, at, bytes, piece.data());
        sum.update(piece.data(), static_cast<std::size_t>(bytes));
        at += bytes;
      }
    }
  }
  const double all_s = seconds_since(begin);
  const double bound = 4 * largest + 300e6;
  const double peak = peak_bytes();
  fmt::print(
      "{:<10} {:<5} {:>8.0f} {:>11.0f} {:>8.0f} {:>8.0f} {:>5} {:>8.1f} {:>7.1f} {:>6.2f}  "
      "{:016x}\n",
      imported.family, dtype, total / 1e6, largest / 1e6, peak / 1e6, bound / 1e6,
      peak <= bound ? "yes" : "NO", imported_s, all_s - imported_s,
      total / 1e9 / (all_s - imported_s), sum.value());
  return peak <= bound ? 0 : 1;
}

}  // namespace
}  // namespace lingua

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "import_bench MODEL DTYPE\n");
    return 2;
  }
  try {
    return lingua::run(argv[1], argv[2]);
  } catch (const lingua::Error& error) {
    fmt::print(stderr, "import_bench: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
