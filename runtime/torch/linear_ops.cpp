#include "runtime/torch/linear_ops.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/linear_native.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <vector>

#include "runtime/torch/bfloat16_products.h"
#include "runtime/torch/kernels/row_products.h"
#include "runtime/torch/row_tensors.h"

namespace lingua {
namespace {

constexpr std::int64_t kThreadBytes = 64 << 10;  // of weights: less is not worth a thread
constexpr std::int64_t kChunksPerThread = 8;
constexpr std::int64_t kRowsAtOnce = 240;           // of the matrix, with few vectors
constexpr std::int64_t kWidenedElements = 1 << 15;  // of x: less is not worth a thread

std::vector<float> widened(const at::Tensor& bias) {
  if (!bias.defined()) return {};
  std::vector<float> values(static_cast<std::size_t>(bias.numel()));
  if (bias.scalar_type() == at::kFloat) {
    std::memcpy(values.data(), bias.data_ptr<float>(), values.size() * sizeof(float));
  } else {
    const at::BFloat16* from = bias.data_ptr<at::BFloat16>();
    std::copy(from, from + values.size(), values.begin());
  }
  return values;
}

class Product {
 public:
  Product(const at::Tensor& x, const RowMatrix& rows, const at::Tensor& bias, at::Tensor& result)
      : count_(x.numel() / rows.width),
        vectors_(count_, rows.width, rows.type, row_type(x.scalar_type())),
        rows_(rows),
        bias_(widened(bias)),
        result_(static_cast<std::byte*>(result.data_ptr())),
        element_bytes_(static_cast<std::int64_t>(result.element_size())),
        out_(result.size(-1)) {
    const auto* from = static_cast<const std::byte*>(x.data_ptr());
    const std::int64_t stride = rows.width * element_bytes_;
    at::parallel_for(0, count_, std::max<std::int64_t>(1, kWidenedElements / rows.width),
                     [&](std::int64_t first, std::int64_t last) {
                       vectors_.widen(from + first * stride, stride, first, last);
                     });
  }

  // Threads take the next rows of the matrix when they are done with theirs.
  void run() const {
    const std::int64_t chunk = chunk_rows();
    const std::int64_t workers =
        std::min<std::int64_t>(at::get_num_threads(), (out_ + chunk - 1) / chunk);
    std::atomic<std::int64_t> next{0};
    at::parallel_for(0, workers, 1, [&](std::int64_t, std::int64_t) {
      std::vector<float> products(static_cast<std::size_t>(count_ * at_once()));
      for (std::int64_t begin; (begin = next.fetch_add(chunk)) < out_;) {
        const std::int64_t end = std::min(begin + chunk, out_);
        for (std::int64_t row = begin; row < end; row += at_once()) {
          run(row, std::min(row + at_once(), end), products.data());
        }
      }
    });
  }

 private:
  std::int64_t at_once() const { return count_ <= kFewVectors ? kRowsAtOnce : kGoodRows; }

  // Small enough that cores which differ in speed, as on phones always, end together.
  std::int64_t chunk_rows() const {
    const std::int64_t chunks = kChunksPerThread * at::get_num_threads();
    const std::int64_t even = (out_ + chunks - 1) / chunks;
    if (count_ <= kFewVectors) {
      return std::max({std::int64_t{1}, kThreadBytes / rows_.stride_bytes, even});
    }
    constexpr std::int64_t kTiles = kGoodRows / 4;  // still whole tiles
    return std::clamp((even + kTiles - 1) / kTiles * kTiles, kTiles, kGoodRows);
  }

  void run(std::int64_t begin, std::int64_t end, float* products) const {
    const std::int64_t size = end - begin;
    row_products(rows_, begin, end, vectors_, 0, count_, products);
    float scales[std::max(kRowsAtOnce, kGoodRows)];
    if (rows_.type == RowType::kInt8) {
      for (std::int64_t r = 0; r < size; ++r) {
        std::memcpy(scales + r, rows_.row(begin + r) + rows_.width, sizeof(float));
      }
    }
    const Finish finish{rows_.type == RowType::kInt8 ? scales : nullptr,
                        bias_.empty() ? nullptr : bias_.data() + begin, vectors_.type()};
    for (std::int64_t v = 0; v < count_; ++v) {
      finish_products(finish, products + v * size, size,
                      result_ + (v * out_ + begin) * element_bytes_);
    }
  }

  const std::int64_t count_;
  WideVectors vectors_;
  const RowMatrix rows_;
  const std::vector<float> bias_;
  std::byte* const result_;
  const std::int64_t element_bytes_;
  const std::int64_t out_;
};

bool is_ours(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::ScalarType type = x.scalar_type();
  if (type != at::kFloat && type != at::kBFloat16) return false;
  if (weight.dim() != 2 || weight.scalar_type() != type || x.dim() < 1) return false;
  const std::int64_t width = weight.size(1);
  if (width < 1 || weight.size(0) < 1 || weight.stride(1) != 1 || weight.stride(0) < width)
    return false;
  if (x.size(-1) != width || x.numel() < 1) return false;
  if (!x.device().is_cpu() || !weight.device().is_cpu()) return false;
  return !bias.defined() || (bias.device().is_cpu() && bias.scalar_type() == type &&
                             bias.dim() == 1 && bias.size(0) == weight.size(0));
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight,
                  const c10::optional<at::Tensor>& bias_or_none) {
  const at::Tensor bias = bias_or_none.value_or(at::Tensor());
  if (!is_ours(x, weight, bias)) return at::native::linear(x, weight, bias_or_none);
  const RowMatrix rows{static_cast<const std::byte*>(weight.data_ptr()),
                       weight.stride(0) * static_cast<std::int64_t>(weight.element_size()),
                       weight.size(1), row_type(x.scalar_type())};
  return row_linear(x.contiguous(), rows, weight.size(0),
                    bias.defined() ? bias.contiguous() : bias);
}

}  // namespace

at::Tensor row_linear(const at::Tensor& x, const RowMatrix& rows, std::int64_t out,
                      const at::Tensor& bias) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = out;
  at::Tensor result = at::empty(shape, x.options());
  Product(x, rows, bias, result).run();
  return result;
}

void register_linear_ops() {
  register_bfloat16_products();
  static const auto library = [] {
    torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
    aten.impl("linear", linear);
    return aten;
  }();
}

}  // namespace lingua
