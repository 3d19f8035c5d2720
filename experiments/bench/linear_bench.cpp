// Our linear maps against LibTorch's: x [rows, in] times a matrix [out, in], on two threads.
// Names: linear / whose / dtype of x and matrix / matrix / rows. The matrix "mlp" (2048 x 640, Gemma 3
// 270M's) fits the cache, "head" (262144 x 640) does not. LibTorch has no product with int8 weights of
// our form: compare with its bfloat16. bytes_per_second counts the matrix.
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/linear_native.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <benchmark/benchmark.h>
#include <c10/core/InferenceMode.h>

#include <cstring>
#include <string>
#include <utility>

#include "runtime/torch/int8_ops.h"
#include "runtime/torch/linear_ops.h"

namespace lingua {
namespace {

constexpr std::int64_t kWidth = 640;
constexpr int kThreads = 2;
constexpr std::int64_t kFewOutputs = 1 << 13;

struct Case {
  std::string name;
  at::ScalarType x = at::kFloat;
  at::ScalarType weights = at::kFloat;
  std::int64_t out = 0;
  std::int64_t rows = 0;
  bool ours = false;
};

at::Tensor matrix_of(const Case& c) {
  if (c.weights != at::kChar) return at::randn({c.out, kWidth}).to(c.weights);
  at::Tensor rows = at::randint(-127, 128, {c.out, kWidth + 4}, at::kChar);
  const float scale = 0.01F;
  for (std::int64_t r = 0; r < c.out; ++r) {
    std::memcpy(rows.data_ptr<std::int8_t>() + r * (kWidth + 4) + kWidth, &scale, sizeof scale);
  }
  return rows;
}

at::Tensor ours(const at::Tensor& x, const at::Tensor& matrix) {
  const auto type = x.scalar_type() == at::kFloat ? RowType::kFloat32 : RowType::kBFloat16;
  const RowMatrix rows{static_cast<const std::byte*>(matrix.data_ptr()),
                       matrix.stride(0) * static_cast<std::int64_t>(matrix.element_size()),
                       matrix.size(1), type};
  return row_linear(x, rows, matrix.size(0), {});
}

at::Tensor ours_int8(const at::Tensor& x, const at::Tensor& matrix) {
  static const auto operation = c10::Dispatcher::singleton()
                                    .findSchemaOrThrow("lingua::linear_int8", "")
                                    .typed<at::Tensor(const at::Tensor&, const at::Tensor&,
                                                      const c10::optional<at::Tensor>&)>();
  return operation.call(x, matrix, c10::nullopt);
}

void run(benchmark::State& state, const Case& c) {
  const c10::InferenceMode no_autograd;
  const at::Tensor matrix = matrix_of(c);
  const at::Tensor x = at::randn({c.rows, kWidth}).to(c.x);
  for (auto _ : state) {
    at::Tensor result;
    if (c.weights == at::kChar) {
      result = ours_int8(x, matrix);
    } else {
      result = c.ours ? ours(x, matrix) : at::native::linear(x, matrix, {});
    }
    benchmark::DoNotOptimize(result.data_ptr());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * matrix.nbytes()));
}

void add_cases() {
  const std::pair<const char*, std::int64_t> matrices[] = {{"mlp", 2048}, {"head", 262144}};
  struct Types {
    const char* name;
    at::ScalarType x, weights;
  };
  const Types all_types[] = {{"fp32", at::kFloat, at::kFloat},
                             {"bf16", at::kBFloat16, at::kBFloat16},
                             {"fp32-int8", at::kFloat, at::kChar},
                             {"bf16-int8", at::kBFloat16, at::kChar}};
  for (const auto& [matrix, out] : matrices) {
    for (const Types& types : all_types) {
      for (const std::int64_t rows : {1, 2, 3, 4, 5, 6, 8, 16, 24, 32, 512}) {
        if (rows > 32 && out > kFewOutputs) continue;  // a prefill's are half a gigabyte
        for (const bool is_ours : {true, false}) {
          if (!is_ours && types.weights == at::kChar) continue;
          Case c{"linear/", types.x, types.weights, out, rows, is_ours};
          c.name += is_ours ? "ours/" : "LibTorch/";
          c.name += std::string(types.name) + "/" + matrix + "/" + std::to_string(rows);
          benchmark::RegisterBenchmark(c.name.c_str(),
                                       [c](benchmark::State& state) { run(state, c); })
              ->UseRealTime()
              ->Unit(benchmark::kMicrosecond);
        }
      }
    }
  }
}

}  // namespace
}  // namespace lingua

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  at::set_num_threads(lingua::kThreads);
  lingua::register_int8_ops();
  lingua::add_cases();
  benchmark::RunSpecifiedBenchmarks();
}
