#include "runtime/torch/embedding_ops.h"

#include <ATen/ops/empty.h>

#include <cstring>
#include <vector>

#include "runtime/torch/op_libraries.h"
#include "runtime/torch/row_tensors.h"

namespace lingua {
namespace {

using OptionalTensor = c10::optional<at::Tensor>;

bool is_int8(const at::Tensor& rows) { return rows.scalar_type() == at::kChar; }

void check_rows(const at::Tensor& rows, at::ScalarType type) {
  if (is_int8(rows)) return check_int8_rows("embedding", rows);
  TORCH_CHECK(rows.dim() == 2 && rows.scalar_type() == type && rows.is_contiguous(),
              "embedding: rows must be contiguous int8 or ", type, " [count, in], not ",
              rows.scalar_type(), " ", rows.sizes());
}

at::Tensor embedding_meta(const OptionalTensor& before, const at::Tensor& rows,
                          const at::Tensor& tokens, std::int64_t first, std::int64_t vocabulary,
                          std::int64_t dtype) {
  const auto type = static_cast<at::ScalarType>(dtype);
  TORCH_CHECK(dtype >= 0 && dtype < static_cast<std::int64_t>(at::ScalarType::NumOptions) &&
                  is_activation(type),
              "embedding: dtype must be that of float32 or bfloat16, not ", dtype);
  check_rows(rows, type);
  TORCH_CHECK(first >= 0 && rows.size(0) <= vocabulary && first <= vocabulary - rows.size(0),
              "embedding: there are no ", rows.size(0), " rows from ", first, " on among ",
              vocabulary);
  TORCH_CHECK(tokens.scalar_type() == at::kLong, "embedding: tokens must be int64, not ",
              tokens.scalar_type());
  std::vector<std::int64_t> shape = tokens.sizes().vec();
  shape.push_back(rows.size(1) - (is_int8(rows) ? kScaleBytes : 0));
  TORCH_CHECK(
      !before || (before->sizes() == at::IntArrayRef(shape) && before->scalar_type() == type),
      "embedding: before must be ", type, " ", at::IntArrayRef(shape));
  return at::empty(shape, tokens.options().dtype(type));
}

template <class Element>
void restore(const std::byte* row, std::int64_t width, Element* out) {
  float scale;
  std::memcpy(&scale, row + width, sizeof scale);
  const auto* values = reinterpret_cast<const std::int8_t*>(row);
  for (std::int64_t k = 0; k < width; ++k) out[k] = scale * static_cast<float>(values[k]);
}

at::Tensor embedding_cpu(const OptionalTensor& before, const at::Tensor& rows,
                         const at::Tensor& tokens, std::int64_t first, std::int64_t vocabulary,
                         std::int64_t dtype) {
  at::Tensor result = embedding_meta(before, rows, tokens, first, vocabulary, dtype);
  const at::Tensor ids = tokens.contiguous();
  const at::Tensor others = before ? before->contiguous() : at::Tensor();
  const std::int64_t width = result.size(-1);
  const auto bytes = static_cast<std::size_t>(width) * result.element_size();
  const std::int64_t row_bytes = rows.size(1) * static_cast<std::int64_t>(rows.element_size());
  for (std::int64_t i = 0; i < ids.numel(); ++i) {
    const std::int64_t token = ids.data_ptr<std::int64_t>()[i];
    TORCH_CHECK(token >= 0 && token < vocabulary, "embedding: token ", token, " is not one of ",
                vocabulary);
    std::byte* out = bytes_of(result) + static_cast<std::size_t>(i) * bytes;
    const std::int64_t row = token - first;
    if (row < 0 || row >= rows.size(0)) {
      if (others.defined()) {
        std::memcpy(out, bytes_of(others) + static_cast<std::size_t>(i) * bytes, bytes);
      } else {
        std::memset(out, 0, bytes);
      }
      continue;
    }
    const std::byte* from = bytes_of(rows) + row * row_bytes;
    if (!is_int8(rows)) {
      std::memcpy(out, from, bytes);
    } else if (result.scalar_type() == at::kFloat) {
      restore(from, width, reinterpret_cast<float*>(out));
    } else {
      restore(from, width, reinterpret_cast<at::BFloat16*>(out));
    }
  }
  return result;
}

}  // namespace

void register_embedding_ops() {
  static const auto libraries = [] {
    OpLibraries all(__FILE__);
    all.names.def(
        "embedding(Tensor? before, Tensor rows, Tensor tokens, int first, int vocabulary, int "
        "dtype)"
        " -> Tensor");
    all.cpu.impl("embedding", embedding_cpu);
    all.meta.impl("embedding", embedding_meta);
    return all;
  }();
}

}  // namespace lingua
