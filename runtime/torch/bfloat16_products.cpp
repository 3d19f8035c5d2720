#include "runtime/torch/bfloat16_products.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm_cpu_dispatch.h>
#include <ATen/ops/addmv_cpu_dispatch.h>
#include <ATen/ops/baddbmm_cpu_dispatch.h>
#include <ATen/ops/bmm_cpu_dispatch.h>
#include <ATen/ops/dot_cpu_dispatch.h>
#include <ATen/ops/mm_cpu_dispatch.h>
#include <ATen/ops/mv_compositeexplicitautograd_dispatch.h>
#include <c10/util/Exception.h>
#include <torch/library.h>
#include <torch/version.h>

namespace lingua {
namespace {

// Whether LibTorch would multiply a and b in its plain loops, which for vectors round every sum.
bool has_plain_loops(const at::Tensor& a, const at::Tensor& b) {
  constexpr std::int64_t kTooFew = 16 * 16 * 16;  // multiplications, for oneDNN to be called
  if (a.scalar_type() != at::kBFloat16 || b.scalar_type() != at::kBFloat16) return false;
  return !has_bfloat16_products() || a.numel() * (b.dim() > 1 ? b.size(-1) : 1) <= kTooFew;
}

using OneProduct = at::Tensor (*)(const at::Tensor&, const at::Tensor&);

template <OneProduct kProduct>
at::Tensor product(const at::Tensor& a, const at::Tensor& b) {
  if (!has_plain_loops(a, b)) return kProduct(a, b);
  return kProduct(a.to(at::kFloat), b.to(at::kFloat)).to(at::kBFloat16);
}

using AddedProduct = at::Tensor (*)(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                                    const at::Scalar&, const at::Scalar&);

template <AddedProduct kProduct>
at::Tensor added_product(const at::Tensor& added, const at::Tensor& a, const at::Tensor& b,
                         const at::Scalar& beta, const at::Scalar& alpha) {
  if (added.scalar_type() != at::kBFloat16 || !has_plain_loops(a, b))
    return kProduct(added, a, b, beta, alpha);
  return kProduct(added.to(at::kFloat), a.to(at::kFloat), b.to(at::kFloat), beta, alpha)
      .to(at::kBFloat16);
}

// LibTorch says on stderr that its kernels are replaced, which is what we ask for.
#if TORCH_VERSION_MAJOR >= 2
using WarningHandlerGuard = c10::WarningUtils::WarningHandlerGuard;

class Silence : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};
#else
using WarningHandlerGuard = c10::Warning::WarningHandlerGuard;

class Silence : public c10::WarningHandler {
 public:
  void process(const c10::SourceLocation&, const std::string&, bool) override {}
};
#endif

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
  static const auto library = [] {
    Silence silence;
    const WarningHandlerGuard guard(&silence);
    torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
    aten.impl("mm", product<at::cpu::mm>);
    aten.impl("bmm", product<at::cpu::bmm>);
    aten.impl("addmm", added_product<at::cpu::addmm>);
    aten.impl("dot", product<at::cpu::dot>);
    aten.impl("mv", product<at::compositeexplicitautograd::mv>);
    aten.impl("addmv", added_product<at::cpu::addmv>);
    aten.impl("baddbmm", added_product<at::cpu::baddbmm>);
    return aten;
  }();
}

}  // namespace lingua
