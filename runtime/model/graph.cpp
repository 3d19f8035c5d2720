#include "runtime/model/graph.h"

#include <algorithm>
#include <array>
#include <utility>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

struct DTypeFacts {
  DType dtype;
  const char* name;
  const char* short_name;
  std::int64_t bytes;
};

constexpr std::array kDTypes = {
    DTypeFacts{DType::kFloat32, "float32", "fp32", 4},
    DTypeFacts{DType::kFloat64, "float64", "fp64", 8},
    DTypeFacts{DType::kFloat16, "float16", "fp16", 2},
    DTypeFacts{DType::kBFloat16, "bfloat16", "bf16", 2},
    DTypeFacts{DType::kInt64, "int64", "i64", 8},
    DTypeFacts{DType::kInt32, "int32", "i32", 4},
    DTypeFacts{DType::kInt16, "int16", "i16", 2},
    DTypeFacts{DType::kInt8, "int8", "i8", 1},
    DTypeFacts{DType::kUInt8, "uint8", "u8", 1},
    DTypeFacts{DType::kBool, "bool", "bool", 1},
};

const DTypeFacts& facts(DType dtype) {
  for (const DTypeFacts& row : kDTypes) {
    if (row.dtype == dtype) return row;
  }
  throw BugError("a dtype without facts");
}

}  // namespace

std::int64_t dtype_bytes(DType dtype) { return facts(dtype).bytes; }
const char* dtype_name(DType dtype) { return facts(dtype).name; }

DType parse_dtype(const std::string& name) {
  std::string accepted;
  for (const DTypeFacts& row : kDTypes) {
    if (name == row.name || name == row.short_name) return row.dtype;
    accepted += std::string(accepted.empty() ? "" : ", ") + row.name;
  }
  throw UsageError(fmt::format("dtype '{}' is not known; write one of {}", name, accepted));
}

StepFunction product(const std::vector<StepFunction>& dims) {
  StepFunction result(1.0);
  for (const StepFunction& dim : dims) {
    if (dim.is_constant()) {
      result *= dim.coefficients()[0];
      continue;
    }
    if (result.is_constant()) {
      result = dim * result.coefficients()[0];
      continue;
    }
    const auto& a = result.coefficients();
    const auto& b = dim.coefficients();
    LINGUA_CHECK(a[3] == 0 && a[4] == 0 && a[5] == 0 && b[3] == 0 && b[4] == 0 && b[5] == 0,
                 "a product of dimensions has degree over two");
    result = StepFunction({a[0] * b[0], a[0] * b[1] + a[1] * b[0], a[0] * b[2] + a[2] * b[0],
                           a[1] * b[1], a[1] * b[2] + a[2] * b[1], a[2] * b[2]});
  }
  return result;
}

StepFunction Value::bytes() const {
  if (!is_tensor) return 8.0;
  if (kind == ValueKind::kState) return 0.0;
  return product(dims) * static_cast<double>(dtype_bytes(dtype));
}

StepFunction Graph::flops() const {
  StepFunction sum;
  for (const Node& node : nodes) sum += node.flops;
  return sum;
}

double Graph::weights_bytes() const {
  double sum = 0;
  for (const Value& value : values) {
    if (value.kind == ValueKind::kWeight) sum += value.bytes().at({});
  }
  return sum;
}

void check_graph(const Graph& graph) {
  const auto count = static_cast<ValueId>(graph.values.size());
  const auto in_range = [&](ValueId id) { return id >= 0 && id < count; };
  for (NodeId n = 0; n < static_cast<NodeId>(graph.nodes.size()); ++n) {
    const Node& node = graph.nodes[n];
    for (ValueId id : node.inputs) {
      LINGUA_CHECK(in_range(id), "node {} reads value {}", n, id);
      const Value& value = graph.values[id];
      LINGUA_CHECK(value.producer < n, "node {} reads a value made later", n);
      LINGUA_CHECK(std::find(value.users.begin(), value.users.end(), n) != value.users.end(),
                   "value {} does not list its user {}", id, n);
    }
    for (ValueId id : node.outputs) {
      LINGUA_CHECK(in_range(id) && graph.values[id].producer == n, "node {} and its result {}", n,
                   id);
    }
  }
  for (ValueId id : graph.inputs) {
    LINGUA_CHECK(in_range(id) && (graph.values[id].kind == ValueKind::kInput ||
                                  graph.values[id].kind == ValueKind::kStep));
  }
  for (ValueId id : graph.outputs) LINGUA_CHECK(in_range(id));
}

}  // namespace lingua
