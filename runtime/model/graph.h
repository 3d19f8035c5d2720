#pragma once
// The operation graph of a model: every operation a node, every tensor between them a value.
//
// Units: FLOPs and bytes, as functions of the step's shape (see step.h).
// Shapes: the dimensions of a value are functions of the step's shape as well; a state (KV cache)
// has one dimension that is the request's capacity, written kCapacity.
// Order: nodes stand in an order in which they can run; node i uses only values of nodes before it.
// Ownership: a plain value. Weights are named, not held: a model of 32 GB has a small Graph.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/model/step.h"

namespace lingua {

enum class DType : std::uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBFloat16,
  kInt64,
  kInt32,
  kInt16,
  kInt8,
  kUInt8,
  kBool
};

std::int64_t dtype_bytes(DType dtype);
const char* dtype_name(DType dtype);  // "float32", ...
// Accepts the names above and the short ones of the command line (fp32, bf16, fp16, int8).
// Errors: UsageError with the accepted names.
DType parse_dtype(const std::string& name);

using ValueId = std::int32_t;
using NodeId = std::int32_t;
using SegmentId = std::int32_t;

inline constexpr std::int64_t kCapacity = -1;

enum class ValueKind : std::uint8_t {
  kInput,       // given with the request; available at the header
  kStep,        // a StepScalar: every device knows it from the step itself
  kState,       // kept by the device between the steps of a request, never sent
  kWeight,      // a parameter or large constant, named
  kActivation,  // the result of a node
};

// The step scalars that a forward may take as int arguments, by the argument's name.
enum class StepScalar : std::uint8_t {
  kNewTokens,     // "new_tokens": n
  kCachedTokens,  // "cached_tokens": p
};

struct Value {
  std::string name;
  ValueKind kind = ValueKind::kActivation;
  DType dtype = DType::kFloat32;
  bool is_tensor = true;                  // false: a number, list or other non-tensor
  bool can_be_sent = true;                // tensors and plain numbers can cross a cut; lists cannot
  std::vector<StepFunction> dims;         // of a tensor
  std::vector<std::int64_t> state_shape;  // of a kState: constants, and kCapacity once
  StepScalar step_scalar = StepScalar::kNewTokens;  // of a kStep
  NodeId producer = -1;  // the node, or -1 for everything but kActivation
  std::vector<NodeId> users;

  // Bytes of the tensor (8 for a plain number); for a kState use state_bytes.
  StepFunction bytes() const;
};

struct Node {
  std::string kind;   // "aten::linear", ...
  std::string scope;  // where in the model it comes from, as far as known: "transformer.h.3"
  std::vector<ValueId> inputs;  // every operand, constants of the source code left out
  std::vector<ValueId> outputs;
  StepFunction flops;
  StepFunction bytes_moved;  // memory traffic: operands read and results written, views free
  // True when the result depends on nothing but the step's shape and constants (positions, masks):
  // a segment that needs it may compute it again instead of having it sent.
  bool step_only = false;
  // It reads a piece of a matrix that was cut so that several devices can share it. The pieces of one stand
  // in a row, and rules cut between them.
  bool is_piece = false;
};

// How the steps of a model may be arranged without a change in any number of what comes out: a promise of
// whoever made it.
struct StepFreedom {
  bool batches = false;  // steps of several requests run as one
  bool chunks = false;   // a prompt in several steps
  bool operator==(const StepFreedom&) const = default;
};

struct Graph {
  std::string model;  // name for people
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;   // kInput and kStep values, in the order of forward's arguments
  std::vector<ValueId> outputs;  // what forward returns
  StepFreedom freedom;

  StepFunction flops() const;
  double weights_bytes() const;  // each weight once
};

// The product of the dimensions, as a function; used for bytes() and FLOP counts.
// Errors: LINGUA_CHECK when the product is of higher degree than two.
StepFunction product(const std::vector<StepFunction>& dims);

// What a node list, its values and their links promise to each other (producers before users, ids
// in range, users listed). Errors: LINGUA_CHECK. Every importer calls it.
void check_graph(const Graph& graph);

}  // namespace lingua
