#include "runtime/torch/bfloat16_products.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/baddbmm_cpu_dispatch.h>
#include <ATen/ops/bmm_cpu_dispatch.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

namespace lingua {
namespace {

at::Tensor bmm(const at::Tensor& a, const at::Tensor& b) {
  if (a.scalar_type() != at::kBFloat16 || b.scalar_type() != at::kBFloat16) {
    return at::cpu::bmm(a, b);
  }
  return at::cpu::bmm(a.to(at::kFloat), b.to(at::kFloat)).to(at::kBFloat16);
}

at::Tensor baddbmm(const at::Tensor& added, const at::Tensor& a, const at::Tensor& b,
                   const at::Scalar& beta, const at::Scalar& alpha) {
  if (added.scalar_type() != at::kBFloat16 || a.scalar_type() != at::kBFloat16 ||
      b.scalar_type() != at::kBFloat16) {
    return at::cpu::baddbmm(added, a, b, beta, alpha);
  }
  return at::cpu::baddbmm(added.to(at::kFloat), a.to(at::kFloat), b.to(at::kFloat), beta, alpha)
      .to(at::kBFloat16);
}

// LibTorch says on stderr that its kernels are replaced, which is what we ask for.
class Silence : public c10::WarningHandler {
 public:
  void process(const c10::SourceLocation&, const std::string&, bool) override {}
};

}  // namespace

bool has_bfloat16_products() {
#if defined(__x86_64__)
  static const bool has = __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return has;
#else
  return false;
#endif
}

void register_bfloat16_products() {
  if (has_bfloat16_products()) return;
  static const auto library = [] {
    Silence silence;
    const c10::Warning::WarningHandlerGuard guard(&silence);
    torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
    aten.impl("bmm", bmm);
    aten.impl("baddbmm", baddbmm);
    return aten;
  }();
}

}  // namespace lingua
