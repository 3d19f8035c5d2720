#include "runtime/torch/cpu_libraries.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "runtime/torch/torch_executor.h"

namespace lingua {
namespace {

TEST(CpuLibraries, OnlyTheReferenceBlasIsSlow) {
  for (const char* slow : {"/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0", "/opt/libblas.so",
                           "/usr/lib/librefblas.so.3"})
    EXPECT_TRUE(is_slow_blas(slow)) << slow;
  for (const char* fast : {"/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3",
                           "/phone/torch.libs/libopenblasp-r0-f650aae0.3.3.so",
                           "/usr/lib/libblis-pthread/libblas.so.4", "/usr/lib/atlas/libblas.so.3",
                           "/opt/intel/mkl/libmkl_rt.so.2", "/lib/libtorch_cpu.so", ""})
    EXPECT_FALSE(is_slow_blas(fast)) << fast;
}

// A program of its own: oneDNN stays off. LibTorch computes on without it.
TEST(CpuLibraries, OneDnnIsSwitchedOffWhereItFails) {
  if (!at::hasMKLDNN()) GTEST_SKIP() << "LibTorch without oneDNN";
  EXPECT_EQ(onednn_trouble(), "") << "it computes in bfloat16 on this machine";
  EXPECT_TRUE(at::globalContext().userEnabledMkldnn());
  make_torch_executor();
  EXPECT_TRUE(at::globalContext().userEnabledMkldnn());
  EXPECT_EQ(onednn_trouble([] {
              throw std::runtime_error("could not create a primitive descriptor iterator\nat X");
            }),
            "could not create a primitive descriptor iterator");
  EXPECT_FALSE(at::globalContext().userEnabledMkldnn());
  const at::Tensor ones = at::ones({8, 64}, at::kBFloat16);
  EXPECT_TRUE(at::mm(ones, at::ones({64, 64}, at::kBFloat16)).eq(64).all().item<bool>());
  EXPECT_EQ(onednn_trouble([] { throw std::runtime_error("unheard"); }), "")
      << "what is off is not tried";
}

}  // namespace
}  // namespace lingua
