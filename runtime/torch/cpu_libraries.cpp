#include "runtime/torch/cpu_libraries.h"

#include <ATen/Context.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/mm_cpu_dispatch.h>
#include <ATen/ops/ones.h>
#include <c10/core/InferenceMode.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "runtime/torch/torch_error.h"

namespace lingua {
namespace {

// Past LibTorch's bounds for calling oneDNN, and more rows than one block of its kernels.
void compute_in_bfloat16() {
  constexpr std::int64_t kRows = 8;
  constexpr std::int64_t kWidth = 64;
  const c10::InferenceMode no_autograd;
  const at::Tensor rows = at::ones({kRows, kWidth}, at::kBFloat16);
  at::gelu(at::cpu::mm(rows, at::ones({kWidth, kWidth}, at::kBFloat16)));
}

}  // namespace

bool is_slow_blas(const std::string& file) {
  const std::string name = std::filesystem::path(file).filename().string();
  const bool is_generic = name.starts_with("libblas.") || name.starts_with("librefblas.");
  constexpr std::array kFast = {"openblas", "blis", "atlas", "mkl", "armpl", "nvpl"};
  return is_generic && std::none_of(kFast.begin(), kFast.end(), [&](const char* fast) {
           return file.find(fast) != std::string::npos;
         });
}

std::string slow_blas() {
  void* const product = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info found{};
  if (product == nullptr || dladdr(product, &found) == 0 || found.dli_fname == nullptr) return "";
  std::error_code error;
  const auto file = std::filesystem::canonical(found.dli_fname, error);
  const std::string text = error ? found.dli_fname : file.string();
  return is_slow_blas(text) ? text : "";
}

std::string onednn_trouble(const std::function<void()>& trial) {
  if (!at::hasMKLDNN() || !at::globalContext().userEnabledMkldnn()) return "";
  try {
    trial();
    return "";
  } catch (const std::exception& error) {
    at::globalContext().setUserEnabledMkldnn(false);
    return first_line(error);
  }
}

std::string onednn_trouble() {
  static const std::string trouble = onednn_trouble(compute_in_bfloat16);
  return trouble;
}

}  // namespace lingua
