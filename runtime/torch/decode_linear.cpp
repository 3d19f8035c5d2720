#include "runtime/torch/decode_linear.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/linear_native.h>
#include <ATen/ops/mm.h>
#include <torch/library.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "runtime/torch/bfloat16_products.h"

namespace lingua {
namespace {

constexpr std::int64_t kBlockBytes = 256 << 10;  // of weights that stay in the cache
constexpr std::int64_t kBlockRows = 256;         // at most
constexpr std::int64_t kBlockVectors = 16;       // rows of x that do
constexpr std::int64_t kThreadBytes = 64 << 10;  // of weights: less is not worth a thread
constexpr std::int64_t kChunksPerThread = 8;
constexpr std::int64_t kWidenedElements = 1 << 20;  // of a matrix, widened at once
// The most rows of x for which reading the matrix once is faster than widening blocks of it.
constexpr std::int64_t kFewRows = 16;

// Small enough that cores which differ in speed, as on phones always, end together.
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

  // Threads take the next rows of the matrix when they are done with theirs.
  void by_rows() const {
    const std::int64_t chunk = chunk_rows(out_, rows_.stride_bytes);
    const std::int64_t workers =
        std::min<std::int64_t>(at::get_num_threads(), (out_ + chunk - 1) / chunk);
    std::atomic<std::int64_t> next{0};
    at::parallel_for(0, workers, 1, [&](std::int64_t, std::int64_t) {
      for (std::int64_t begin; (begin = next.fetch_add(chunk)) < out_;) {
        run(begin, std::min(begin + chunk, out_));
      }
    });
  }

  // Blocks of the matrix are widened to float32 for LibTorch's matrix product.
  void by_blocks() {
    const std::int64_t most = std::clamp<std::int64_t>(kWidenedElements / rows_.width, 1, out_);
    const at::Tensor whole = at::empty({most, rows_.width}, at::kFloat);
    const at::Tensor vectors = at::from_blob(x_.data(), {count_, rows_.width}, at::kFloat);
    for (std::int64_t begin = 0; begin < out_; begin += most) {
      const std::int64_t size = std::min(most, out_ - begin);
      widen(begin, size, whole.data_ptr<float>());
      const at::Tensor products = at::mm(vectors, whole.narrow(0, 0, size).t()).contiguous();
      float* sums = products.data_ptr<float>();
      at::parallel_for(0, count_, std::max<std::int64_t>(1, (16 << 10) / size),
                       [&](std::int64_t first, std::int64_t last) {
                         for (std::int64_t v = first; v < last; ++v) {
                           finish(begin, size, sums + v * size, result_ + v * out_ + begin);
                         }
                       });
    }
  }

 private:
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

  template <class Weight>
  void widen_row(std::int64_t row, float* to) const {
    const std::byte* from = rows_.data + row * rows_.stride_bytes;
    for (std::int64_t i = 0; i < rows_.width; ++i) {
      Weight value;  // rows need no alignment
      std::memcpy(&value, from + i * static_cast<std::int64_t>(sizeof value), sizeof value);
      to[i] = static_cast<float>(value);
    }
  }

  void widen(std::int64_t begin, std::int64_t size, float* to) const {
    at::parallel_for(0, size, std::max<std::int64_t>(1, kThreadBytes / rows_.stride_bytes),
                     [&](std::int64_t first, std::int64_t last) {
                       for (std::int64_t r = first; r < last; ++r) {
                         float* row = to + r * rows_.width;
                         switch (rows_.type) {
                           case RowType::kFloat32: widen_row<float>(begin + r, row); break;
                           case RowType::kBFloat16: widen_row<at::BFloat16>(begin + r, row); break;
                           case RowType::kInt8: widen_row<std::int8_t>(begin + r, row); break;
                         }
                       }
                     });
  }

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

  std::vector<float> x_;
  const std::int64_t count_;
  const RowMatrix rows_;
  const Element* const bias_;
  Element* const result_;
  const std::int64_t out_;
};

std::int64_t most_rows(at::ScalarType type) {
  if (type == at::kFloat) return kFewRowsFloat32;
  return has_bfloat16_products() ? kFewRowsBFloat16 : std::numeric_limits<std::int32_t>::max();
}

bool is_ours(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::ScalarType type = x.scalar_type();
  if (type != at::kFloat && type != at::kBFloat16) return false;
  if (weight.dim() != 2 || weight.scalar_type() != type || x.dim() < 1) return false;
  const std::int64_t width = weight.size(1);
  if (width < 1 || weight.size(0) < 1 || weight.stride(1) != 1 || weight.stride(0) < width)
    return false;
  if (x.size(-1) != width || x.numel() < 1 || x.numel() > most_rows(type) * width) return false;
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
  const bool few =
      x.numel() <= (rows.type == RowType::kFloat32 ? kFewRowsFloat32 : kFewRows) * rows.width;
  const auto run = [&](auto element) {
    Product<decltype(element)> product(x, rows, bias, result);
    few ? product.by_rows() : product.by_blocks();
  };
  if (x.scalar_type() == at::kFloat) {
    run(float());
  } else {
    run(at::BFloat16());
  }
  return result;
}

void register_decode_linear() {
  register_bfloat16_products();
  static const auto library = [] {
    torch::Library aten(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
    aten.impl("linear", linear);
    return aten;
  }();
}

}  // namespace lingua
