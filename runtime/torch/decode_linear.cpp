#include "runtime/torch/decode_linear.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear_native.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <type_traits>
#include <vector>

namespace lingua {
namespace {

constexpr std::int64_t kBlockBytes = 256 << 10;  // of weights that stay in the cache
constexpr std::int64_t kBlockRows = 256;         // at most
constexpr std::int64_t kBlockVectors = 16;       // rows of x that do
constexpr std::int64_t kThreadBytes = 64 << 10;  // of weights: less is not worth a thread
constexpr std::int64_t kChunksPerThread = 8;

// Threads take the next rows when they are done with theirs: cores differ in speed, on phones always.
std::int64_t chunk_rows(std::int64_t out, std::int64_t stride_bytes) {
  const std::int64_t chunks = kChunksPerThread * at::get_num_threads();
  const std::int64_t least = std::max<std::int64_t>(1, kThreadBytes / stride_bytes);
  return std::max(least, (out + chunks - 1) / chunks);
}

std::vector<float> widened(const at::Tensor& x) {
  std::vector<float> values(static_cast<std::size_t>(x.numel()));
  if (x.scalar_type() == at::kFloat) {
    std::memcpy(values.data(), x.data_ptr<float>(), values.size() * sizeof(float));
  } else {
    const at::BFloat16* from = x.data_ptr<at::BFloat16>();
    std::copy(from, from + values.size(), values.begin());
  }
  return values;
}

template <class Element>
class Product {
 public:
  Product(const at::Tensor& x, const RowMatrix& rows, const at::Tensor& bias, at::Tensor& result)
      : x_(widened(x)),
        count_(x.numel() / rows.width),
        rows_(rows),
        bias_(bias.defined() ? bias.data_ptr<Element>() : nullptr),
        result_(result.data_ptr<Element>()),
        out_(result.size(-1)) {}

  void run(std::int64_t begin, std::int64_t end) const {
    const std::int64_t most =
        std::clamp<std::int64_t>(kBlockBytes / rows_.stride_bytes, 4, kBlockRows);
    float products[kBlockVectors * kBlockRows];
    for (; begin < end; begin += most) {
      const std::int64_t size = std::min(most, end - begin);
      for (std::int64_t first = 0; first < count_; first += kBlockVectors) {
        const std::int64_t count = std::min(kBlockVectors, count_ - first);
        row_products(rows_, begin, begin + size, x_.data() + first * rows_.width, count, products);
        for (std::int64_t v = 0; v < count; ++v) {
          finish(begin, size, products + v * size, result_ + (first + v) * out_ + begin);
        }
      }
    }
  }

 private:
  void finish(std::int64_t begin, std::int64_t size, float* sums, Element* results) const {
    if (rows_.type == RowType::kInt8) {
      const std::byte* scale = rows_.data + begin * rows_.stride_bytes + rows_.width;
      for (std::int64_t r = 0; r < size; ++r, scale += rows_.stride_bytes) {
        float factor;
        std::memcpy(&factor, scale, sizeof factor);
        sums[r] *= factor;
      }
    }
    if (bias_ != nullptr) {
      for (std::int64_t r = 0; r < size; ++r) sums[r] += static_cast<float>(bias_[begin + r]);
    }
    std::copy(sums, sums + size, results);
  }

  const std::vector<float> x_;
  const std::int64_t count_;
  const RowMatrix rows_;
  const Element* const bias_;
  Element* const result_;
  const std::int64_t out_;
};

bool is_ours(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::ScalarType type = x.scalar_type();
  if (type != at::kFloat && type != at::kBFloat16) return false;
  if (weight.dim() != 2 || weight.scalar_type() != type || x.dim() < 1) return false;
  const std::int64_t width = weight.size(1);
  if (width < 1 || weight.size(0) < 1 || weight.stride(1) != 1 || weight.stride(0) < width)
    return false;
  const std::int64_t most = type == at::kFloat ? kFewRowsFloat32 : kFewRowsBFloat16;
  if (x.size(-1) != width || x.numel() < 1 || x.numel() > most * width) return false;
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
                       weight.size(1),
                       x.scalar_type() == at::kFloat ? RowType::kFloat32 : RowType::kBFloat16};
  return row_linear(x.contiguous(), rows, weight.size(0),
                    bias.defined() ? bias.contiguous() : bias);
}

}  // namespace

at::Tensor row_linear(const at::Tensor& x, const RowMatrix& rows, std::int64_t out,
                      const at::Tensor& bias) {
  std::vector<std::int64_t> shape = x.sizes().vec();
  shape.back() = out;
  at::Tensor result = at::empty(shape, x.options());
  const std::int64_t chunk = chunk_rows(out, rows.stride_bytes);
  const std::int64_t workers =
      std::min<std::int64_t>(at::get_num_threads(), (out + chunk - 1) / chunk);
  const auto run = [&](auto element) {
    const Product<decltype(element)> product(x, rows, bias, result);
    std::atomic<std::int64_t> next{0};
    at::parallel_for(0, workers, 1, [&](std::int64_t, std::int64_t) {
      for (std::int64_t begin; (begin = next.fetch_add(chunk)) < out;) {
        product.run(begin, std::min(begin + chunk, out));
      }
    });
  };
  if (x.scalar_type() == at::kFloat) {
    run(float());
  } else {
    run(at::BFloat16());
  }
  return result;
}

void register_decode_linear() {
  static const auto library = [] {
    torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
    aten.impl("linear", linear);
    return aten;
  }();
}

}  // namespace lingua
