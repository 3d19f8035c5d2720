#include "runtime/torch/exertions.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/add.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/ones.h>
#include <c10/core/InferenceMode.h>

#include <cstring>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/device/tensor.h"
#include "runtime/torch/linear_ops.h"
#include "runtime/torch/row_tensors.h"

namespace lingua {
namespace {

at::ScalarType activation_type(DType dtype) {
  if (dtype == DType::kFloat32) return at::kFloat;
  if (dtype == DType::kBFloat16 || dtype == DType::kInt8) return at::kBFloat16;
  throw WorldError(fmt::format("weights in {} are not computed with", dtype_name(dtype)));
}

at::Tensor call(const char* operation, std::vector<c10::IValue> operands) {
  c10::Dispatcher::singleton().findSchemaOrThrow(operation, "").callBoxed(&operands);
  return operands.front().toTensor();
}

// The operations of a decoder's layer for one token, on so little that they take only what calling them does.
void run_small_layer() {
  constexpr std::int64_t kSize = 32;
  const at::Tensor x = at::ones({1, kSize});
  const at::Tensor norm = at::ones({kSize});
  const at::Tensor square = at::ones({kSize, kSize});
  const at::Tensor angles = at::ones({1, kSize / 2});
  const auto linear = [&](const at::Tensor& in) {
    return call("aten::linear", {in, square, c10::IValue()});
  };
  const auto heads = [&](const at::Tensor& in) { return in.view({1, 1, kSize}); };
  const at::Tensor normed = call("lingua::rms_norm", {x, norm, 1e-5, false});
  const at::Tensor query = call("lingua::rotate", {heads(linear(normed)), angles, angles});
  const at::Tensor keys = call("lingua::rotate", {heads(linear(normed)), angles, angles});
  const at::Tensor attended =
      call("lingua::attention", {query, keys, heads(linear(normed)), c10::IValue(), 1.0, 0});
  const at::Tensor middle = at::add(x, linear(attended));
  const at::Tensor again = call("lingua::rms_norm", {middle, norm, 1e-5, false});
  const at::Tensor gated = at::mul(call("lingua::silu", {linear(again)}), linear(again));
  at::add(middle, linear(gated));
}

}  // namespace

void Exertions::prepare(const Exertion& exertion) {
  Exertion kind = exertion;
  kind.repeats = 1;
  if (prepared_ == kind) return;
  *this = Exertions();
  const bool reads = kind.kind == ExertionKind::kWeights;
  if (!reads && kind.kind != ExertionKind::kProducts) {
    prepared_ = kind;
    return;
  }
  const at::ScalarType type = activation_type(kind.dtype);
  const std::int64_t width = reads ? kReadWidth : kProductWidth;
  const std::int64_t height = reads ? kReadHeight : kProductHeight * kProductMatrices;
  rows_ = at::ones({reads ? 1 : kProductRows, width}, type);
  const bool is_int8 = kind.dtype == DType::kInt8;
  // Of int8, scales of about 2e-37 (0x01010101) stand behind the rows.
  weights_ = is_int8 ? at::ones({height, width + kScaleBytes}, at::kChar)
                     : at::ones({height, width}, type);
  matrix_ = {bytes_of(weights_), weights_.stride(0) * weights_.element_size(), width,
             is_int8 ? RowType::kInt8 : row_type(type)};
  prepared_ = kind;
}

void Exertions::next_product() {
  const std::int64_t height =
      prepared_->kind == ExertionKind::kWeights ? kReadHeight : kProductHeight;
  RowMatrix matrix = matrix_;
  matrix.data = matrix_.row(first_row_);
  row_linear(rows_, matrix, height, at::Tensor());
  first_row_ = (first_row_ + height) % weights_.size(0);
}

Work Exertions::take_memory(std::int64_t blocks) {
  for (std::int64_t taken = 0; taken < blocks; ++taken) {
    try {
      memory_.push_back(allocate_bytes(kMemoryBlock));
    } catch (const WorldError&) {
      return {0, static_cast<double>(taken * kMemoryBlock)};
    }
    std::memset(memory_.back().get(), 1, static_cast<std::size_t>(kMemoryBlock));
  }
  return {0, static_cast<double>(blocks * kMemoryBlock)};
}

Work Exertions::exert(const Exertion& exertion) {
  const c10::InferenceMode no_autograd;
  prepare(exertion);
  if (exertion.kind == ExertionKind::kMemory) return take_memory(exertion.repeats);
  for (std::int64_t i = 0; i < exertion.repeats; ++i) {
    if (exertion.kind == ExertionKind::kSegments) {
      run_small_layer();
    } else {
      next_product();
    }
  }
  return work_of(exertion);
}

}  // namespace lingua
