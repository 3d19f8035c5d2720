#include "runtime/torch/op_costs.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>

namespace lingua {
namespace {

using IValues = std::vector<c10::IValue>;

// Products whose every result element is a dot product over the last dimension of one operand:
// the operation, and which operand that is.
const std::map<std::string, std::size_t>& products() {
  static const std::map<std::string, std::size_t> map = {
      {"aten::linear", 0},   {"aten::mm", 0},           {"aten::matmul", 0},  {"aten::bmm", 0},
      {"aten::mv", 0},       {"aten::dot", 0},          {"aten::addmm", 1},   {"aten::addmv", 1},
      {"aten::addbmm", 1},   {"aten::inner", 0},        {"aten::baddbmm", 1}, {"aten::addmm_", 1},
      {"aten::baddbmm_", 1}, {"lingua::linear_int8", 0}};
  return map;
}

// Look-ups: the operation, and which operand is the table.
const std::map<std::string, std::size_t>& lookups() {
  static const std::map<std::string, std::size_t> map = {
      {"aten::embedding", 0}, {"aten::embedding_bag", 0}, {"aten::index_select", 0},
      {"aten::index", 0},     {"aten::gather", 0},        {"aten::take", 0}};
  return map;
}

bool overwrites(const std::string& kind) {
  static const std::set<std::string> kinds = {"aten::copy_", "aten::fill_", "aten::zero_"};
  return kinds.count(kind) != 0;
}

double numel(const c10::IValue& value) {
  return value.isTensor() && value.toTensor().defined()
             ? static_cast<double>(value.toTensor().numel())
             : 0;
}

double convolution_flops(const IValues& operands, const IValues& results, bool transposed) {
  const at::Tensor& weight = operands.at(1).toTensor();
  const double per_point =
      static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0));
  return 2 * per_point * numel(transposed ? operands.at(0) : results.at(0));
}

double attention_flops(const IValues& operands, const IValues& results) {
  const at::Tensor& key = operands.at(1).toTensor();
  const double keys = static_cast<double>(key.size(-2));
  return 2 * keys * (numel(operands.at(0)) + numel(results.at(0)));
}

// "ij,jk->ik": every combination of the letters is one multiplication and one addition.
double einsum_flops(const IValues& operands) {
  const std::string equation = operands.at(0).toStringRef();
  const auto tensors = operands.at(1).toTensorVector();
  std::map<char, double> sizes;
  std::size_t tensor = 0;
  std::int64_t dim = 0;
  for (char letter : equation) {
    if (letter == '-') break;
    if (letter == ',') {
      ++tensor;
      dim = 0;
    } else if (letter != ' ' && tensor < tensors.size() && dim < tensors[tensor].dim()) {
      sizes[letter] = static_cast<double>(tensors[tensor].size(dim++));
    }
  }
  double count = tensors.size() > 1 ? 2 : 0;
  for (const auto& [letter, size] : sizes) count *= size;
  return count;
}

// A recurrent layer or cell: every row of every step goes through all its matrices, those from the
// input and those from the state, of both directions and of all layers.
double recurrent_flops(const IValues& operands, bool cell) {
  double elements = 0;
  const auto add = [&](const at::Tensor& weight) {
    if (weight.dim() == 2) elements += static_cast<double>(weight.numel());  // others: biases
  };
  if (cell) {
    for (const std::size_t i : {2, 3}) add(operands.at(i).toTensor());
  } else {
    // (input, state, weights, ...), or (data, batch_sizes, state, weights, ...) of packed sequences.
    const std::size_t weights = operands.at(3).isTensorList() ? 3 : 2;
    for (const at::Tensor& weight : operands.at(weights).toTensorVector()) add(weight);
  }
  const at::Tensor& input = operands.at(0).toTensor();
  return 2 * elements * numel(operands.at(0)) / static_cast<double>(input.size(-1));
}

bool is_recurrent(const std::string& kind) {
  static const std::set<std::string> kinds = {"aten::lstm", "aten::gru", "aten::rnn_tanh",
                                              "aten::rnn_relu"};
  return kinds.count(kind) != 0;
}

bool is_recurrent_cell(const std::string& kind) {
  return kind.ends_with("_cell") && is_recurrent(kind.substr(0, kind.size() - 5));
}

double flops_of(const std::string& kind, const IValues& operands, const IValues& results) {
  if (const auto found = products().find(kind); found != products().end()) {
    const at::Tensor& rows = operands.at(found->second).toTensor();
    return 2 * numel(results.at(0)) * static_cast<double>(rows.size(-1));
  }
  if (kind.starts_with("aten::conv_transpose")) return convolution_flops(operands, results, true);
  if (kind == "aten::_convolution" || kind == "aten::convolution") {
    return convolution_flops(operands, results, operands.at(6).toBool());
  }
  if (kind == "aten::conv1d" || kind == "aten::conv2d" || kind == "aten::conv3d") {
    return convolution_flops(operands, results, false);
  }
  if (kind == "aten::scaled_dot_product_attention" || kind == "lingua::attention")
    return attention_flops(operands, results);
  if (kind == "aten::einsum") return einsum_flops(operands);
  if (is_recurrent(kind)) return recurrent_flops(operands, false);
  if (is_recurrent_cell(kind)) return recurrent_flops(operands, true);
  return 0;
}

// Bytes of memory behind a tensor: dimensions that only repeat are not counted.
double tensor_bytes(const at::Tensor& tensor) {
  if (!tensor.defined()) return 0;
  auto bytes = static_cast<double>(tensor.element_size());
  for (std::int64_t d = 0; d < tensor.dim(); ++d) {
    if (tensor.stride(d) != 0 || tensor.size(d) == 0) bytes *= static_cast<double>(tensor.size(d));
  }
  return bytes;
}

template <typename Visit>
void for_each_tensor(const c10::IValue& value, const Visit& visit) {
  if (value.isTensor()) {
    visit(value.toTensor());
  } else if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorVector()) visit(tensor);
  } else if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) for_each_tensor(element, visit);
  }
}

bool is_view(const at::Tensor& result, const IValues& operands) {
  bool shares = false;
  for (const c10::IValue& operand : operands) {
    for_each_tensor(operand, [&](const at::Tensor& tensor) {
      shares = shares || (tensor.defined() && result.defined() && tensor.is_alias_of(result));
    });
  }
  return shares;
}

enum class Views { kFree, kCopied };

double bytes_of(const std::string& kind, Views views, const IValues& operands,
                const IValues& results) {
  double written = 0;
  for (const c10::IValue& result : results) {
    for_each_tensor(result, [&](const at::Tensor& tensor) {
      if (views == Views::kCopied || !is_view(tensor, operands)) written += tensor_bytes(tensor);
    });
  }
  if (written == 0) return 0;
  double read = 0;
  const auto lookup = lookups().find(kind);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (i == 0 && overwrites(kind)) continue;
    if (kind == "lingua::embedding" && i == 1) {
      const at::Tensor& rows = operands[1].toTensor();
      read += numel(operands[2]) * static_cast<double>(rows.size(1) * rows.element_size());
      continue;
    }
    if (lookup != lookups().end() && lookup->second == i) {
      read += written;
      continue;
    }
    for_each_tensor(operands[i], [&](const at::Tensor& tensor) { read += tensor_bytes(tensor); });
  }
  return read + written;
}

}  // namespace

OpCost op_cost(const torch::jit::Node& node, const IValues& operands, const IValues& results) {
  if (node.kind().is_prim()) return {};
  const std::string kind = node.kind().toQualString();
  const bool in_place = kind.ends_with('_') && !kind.ends_with("__");
  const double copied = bytes_of(kind, Views::kCopied, operands, results);
  const double bytes = in_place ? copied : bytes_of(kind, Views::kFree, operands, results);
  return {flops_of(kind, operands, results), bytes, copied};
}

bool is_matrix_product(const torch::jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  return kind.starts_with("aten::") && products().count(kind) != 0;
}

}  // namespace lingua
