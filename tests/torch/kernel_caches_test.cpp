#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "runtime/torch/torch_executor.h"
#include "tests/torch/process_memory.h"

namespace lingua {
namespace {

using testing::resident_bytes;

// Through an operation that is oneDNN's on every x86-64 (bfloat16 products are on some). A program of
// its own: the bound holds for a process that has multiplied nothing before.
TEST(KernelCaches, OfManyShapesDoNotFillTheMemory) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer keeps what is freed";
#endif
  if (!at::hasMKLDNN()) GTEST_SKIP() << "LibTorch without oneDNN";
  bound_kernel_caches();
  const c10::InferenceMode no_autograd;
  const at::Tensor weight = at::randn({256, 256}).to_mkldnn();
  const at::Tensor bias = at::randn({256});
  const auto product = [&](std::int64_t rows) {
    at::mkldnn_linear(at::randn({rows, 256}).to_mkldnn(), weight, bias);
  };
  for (std::int64_t rows = 1; rows <= 50; ++rows) product(rows);
  const double before = resident_bytes();
  for (std::int64_t rows = 51; rows <= 350; ++rows) product(rows);
  EXPECT_LT(resident_bytes() - before, 12e6) << "30 MB without a bound";
}

}  // namespace
}  // namespace lingua
