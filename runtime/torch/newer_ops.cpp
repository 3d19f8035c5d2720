#include "runtime/torch/newer_ops.h"

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/frontend/function_schema_parser.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace lingua {
namespace {

namespace jit = torch::jit;

// 5 and 15 are the numbers of fp16 and bf16, 11 that of bool. A row that may look nowhere gets zeros.
constexpr const char* kSource = R"(
def attention_weights(query: Tensor, key: Tensor, mask: Optional[Tensor], causal: bool,
                      scale: Optional[float], gqa: bool):
  if gqa:
    key = torch.repeat_interleave(key, query.size(-3) // key.size(-3), -3)
  factor = 1.0
  if scale is not None:
    factor = scale
  else:
    factor = 1.0 / (float(query.size(-1)) ** 0.5)
  if query.dtype == 5 or query.dtype == 15:
    query = query.to(6)
    key = key.to(6)
  scores = torch.matmul(query, key.transpose(-2, -1)) * factor
  if causal:
    rows = torch.arange(query.size(-2)).unsqueeze(-1)
    scores = torch.masked_fill(scores, torch.gt(torch.arange(key.size(-2)), rows), float("-inf"))
  if mask is not None:
    if mask.dtype == 11:
      scores = torch.masked_fill(scores, torch.logical_not(mask), float("-inf"))
    else:
      scores = scores + mask.to(scores.dtype)
  weights = torch.softmax(scores, -1)
  if mask is not None:
    nowhere = torch.eq(torch.amax(scores, [-1], True), float("-inf"))
    weights = torch.masked_fill(weights, nowhere, 0.0)
  return weights

def attend(weights: Tensor, value: Tensor, gqa: bool):
  dtype = value.dtype
  if gqa:
    value = torch.repeat_interleave(value, weights.size(-3) // value.size(-3), -3)
  if dtype == 5 or dtype == 15:
    value = value.to(6)
  return torch.matmul(weights, value).to(dtype)

def attention(query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor], dropout: float,
              causal: bool, scale: Optional[float], gqa: bool):
  return attend(attention_weights(query, key, mask, causal, scale, gqa), value, gqa)

def attention_and_weights(query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor],
                          dropout: float, causal: bool, dropout_mask: Optional[Tensor],
                          scale: Optional[float], gqa: bool):
  weights = attention_weights(query, key, mask, causal, scale, gqa)
  return attend(weights, value, gqa), weights.to(query.dtype)

def attention_of_1(query: Tensor, key: Tensor, value: Tensor, mask: Optional[Tensor],
                   dropout: float, need_weights: bool, causal: bool):
  weights = attention_weights(query, key, mask, causal, None, False)
  return attend(weights, value, False), weights.to(query.dtype)

def safe_softmax(x: Tensor, dim: int, dtype: Optional[int]):
  weights = torch.softmax(x, dim, dtype)
  return torch.masked_fill(weights, torch.eq(torch.amax(x, [dim], True), float("-inf")), 0.0)

def rms_norm(x: Tensor, shape: List[int], weight: Optional[Tensor], eps: Optional[float]):
  dtype = x.dtype
  least = 1.1920928955078125e-07
  if dtype == 5:
    least = 0.0009765625
  if dtype == 15:
    least = 0.0078125
  if dtype == 7:
    least = 2.220446049250313e-16
  if eps is not None:
    least = eps
  if dtype == 5 or dtype == 15:
    x = x.to(6)
  dims: List[int] = []
  for i in range(len(shape)):
    dims.append(-1 - i)
  x = x * torch.rsqrt(torch.mean(x * x, dims, True) + least)
  if weight is not None:
    x = x * weight
  return x.to(dtype)

def squeeze_dims(x: Tensor, dim: List[int]):
  rank = x.dim()
  for i in range(rank):
    if rank - 1 - i in dim or -1 - i in dim:
      x = torch.squeeze(x, rank - 1 - i)
  return x

def all_dims(x: Tensor, dim: Optional[List[int]], keepdim: bool):
  rank = x.dim()
  for i in range(rank):
    named = True
    if dim is not None:
      named = len(dim) == 0 or rank - 1 - i in dim or -1 - i in dim
    if named:
      x = torch.all(x, rank - 1 - i, keepdim)
  return x

def any_dims(x: Tensor, dim: Optional[List[int]], keepdim: bool):
  rank = x.dim()
  for i in range(rank):
    named = True
    if dim is not None:
      named = len(dim) == 0 or rank - 1 - i in dim or -1 - i in dim
    if named:
      x = torch.any(x, rank - 1 - i, keepdim)
  return x
)";

struct NewerOp {
  const char* schema;
  const char* function;  // of kSource
};

constexpr NewerOp kOps[] = {
    {"aten::scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, "
     "Tensor? attn_mask=None, float dropout_p=0., bool is_causal=False, *, float? scale=None, "
     "bool enable_gqa=False) -> Tensor",
     "attention"},
    {"aten::_scaled_dot_product_attention_math(Tensor query, Tensor key, Tensor value, "
     "Tensor? attn_mask=None, float dropout_p=0., bool is_causal=False, Tensor? dropout_mask=None, "
     "*, float? scale=None, bool enable_gqa=False) -> (Tensor, Tensor)",
     "attention_and_weights"},
    {"aten::_scaled_dot_product_attention(Tensor query, Tensor key, Tensor value, "
     "Tensor? attn_mask=None, float dropout_p=0., bool need_attn_weights=False, "
     "bool is_causal=False) -> (Tensor, Tensor)",
     "attention_of_1"},
    {"aten::_safe_softmax(Tensor self, int dim, ScalarType? dtype=None) -> Tensor", "safe_softmax"},
    {"aten::rms_norm(Tensor input, int[] normalized_shape, Tensor? weight=None, float? eps=None) "
     "-> Tensor",
     "rms_norm"},
    {"aten::squeeze.dims(Tensor(a) self, int[] dim) -> Tensor(a)", "squeeze_dims"},
    {"aten::all.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", "all_dims"},
    {"aten::any.dims(Tensor self, int[]? dim=None, bool keepdim=False) -> Tensor", "any_dims"},
};

jit::Function& function_of(const NewerOp& op) {
  static const auto unit = [] {
    auto all = std::make_shared<jit::CompilationUnit>();
    all->define(c10::nullopt, kSource, jit::nativeResolver(), nullptr);
    return all;
  }();
  return unit->get_function(c10::QualifiedName(op.function));
}

bool is_known(const c10::FunctionSchema& schema) {
  const auto& all = jit::getAllOperatorsFor(c10::Symbol::fromQualString(schema.name()));
  return std::any_of(all.begin(), all.end(), [&](const auto& known) {
    return known->schema().arguments().size() == schema.arguments().size() &&
           known->schema().overload_name() == schema.overload_name();
  });
}

const NewerOp* find(const jit::Node& node) {
  static const auto by_name = [] {
    std::map<std::pair<std::string, std::size_t>, const NewerOp*> map;
    for (const NewerOp& op : kOps) {
      const c10::FunctionSchema schema = jit::parseSchema(op.schema);
      map[{c10::toString(schema.operator_name()), schema.arguments().size()}] = &op;
    }
    return map;
  }();
  const c10::FunctionSchema* schema = node.maybeSchema();
  if (schema == nullptr) return nullptr;
  const auto found =
      by_name.find({c10::toString(schema->operator_name()), schema->arguments().size()});
  return found == by_name.end() ? nullptr : found->second;
}

bool has_dropout(const jit::Node& node) {
  const auto argument = node.maybeSchema()->argumentIndexWithName("dropout_p");
  if (!argument) return false;
  const auto share = jit::toIValue(node.input(static_cast<std::size_t>(*argument)));
  return !share || !share->isDouble() || share->toDouble() > 0;
}

void expand(jit::Graph& graph, jit::Block& block) {
  for (auto it = block.nodes().begin(); it != block.nodes().end(); ++it) {
    jit::Node* node = *it;
    for (jit::Block* inner : node->blocks()) expand(graph, *inner);
    const NewerOp* op = find(*node);
    if (op == nullptr || has_dropout(*node)) continue;
    const jit::WithInsertPoint here(node);
    auto results =
        jit::insertGraph(graph, *jit::toGraphFunction(function_of(*op)).graph(), node->inputs());
    if (node->outputs().size() > 1) {  // a function gives them as one tuple
      const auto unpacked = graph.insertNode(graph.createTupleUnpack(results.at(0)))->outputs();
      results.assign(unpacked.begin(), unpacked.end());
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      node->outputs()[i]->replaceAllUsesWith(results[i]);
    }
    it.destroyCurrent();
  }
}

}  // namespace

void register_newer_ops() {
  static const bool done = [] {
    for (const NewerOp& op : kOps) {
      const c10::FunctionSchema schema = jit::parseSchema(op.schema);
      if (is_known(schema)) continue;
      jit::Function& function = function_of(op);
      const std::size_t results = schema.returns().size();
      jit::registerOperator(jit::Operator(
          op.schema,
          [&function, results](jit::Stack& stack) {
            function.run(stack);
            if (results < 2) return;
            const c10::IValue tuple = jit::pop(stack);
            for (const c10::IValue& result : tuple.toTupleRef().elements()) stack.push_back(result);
          },
          c10::AliasAnalysisKind::FROM_SCHEMA));
    }
    return true;
  }();
  static_cast<void>(done);
}

void expand_newer_ops(const std::shared_ptr<jit::Graph>& graph) {
  expand(*graph, *graph->block());
  jit::Inline(*graph);  // what the functions call
}

}  // namespace lingua
