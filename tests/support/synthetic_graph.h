#pragma once
// Models without a model file: a graph with the shape of BLOOM, and a chain of segments.
//
// The graph has what makes BLOOM interesting to a partitioner and a planner: a residual stream, KV
// states written in place, positions and masks that depend on the step alone, and an embedding that
// is tied to the LM head and so is a weight of the first and of the last segment.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/model/segment.h"
#include "tests/support/graph_builder.h"

namespace lingua::testing {

struct SyntheticBloom {
  int layers = 4;
  std::int64_t hidden = 64;
  std::int64_t heads = 4;
  std::int64_t vocabulary = 256;
  bool kv_cache = true;
  std::int64_t pieces = 1;  // of embedding and head
};

namespace internal {

class BloomBuilder {
 public:
  explicit BloomBuilder(const SyntheticBloom& shape)
      : shape_(shape), h_(static_cast<double>(shape.hidden)), g_("synthetic-bloom") {}

  Graph build() {
    const ValueId tokens = g_.input("tokens", {kNew});
    new_tokens_ = g_.step("new_tokens", StepScalar::kNewTokens);
    cached_tokens_ = g_.step("cached_tokens", StepScalar::kCachedTokens);
    std::vector<ValueId> k_states, v_states;
    for (int layer = 0; shape_.kv_cache && layer < shape_.layers; ++layer) {
      k_states.push_back(g_.state(fmt::format("k.{}", layer), {kCapacity, shape_.hidden}));
      v_states.push_back(g_.state(fmt::format("v.{}", layer), {kCapacity, shape_.hidden}));
    }
    step_values();
    ValueId x = embedding(tokens);
    x = layer_norm(x, "transformer.word_embeddings_layernorm");
    for (int layer = 0; layer < shape_.layers; ++layer) {
      const std::string scope = fmt::format("transformer.h.{}", layer);
      x = attention(x, scope, shape_.kv_cache ? k_states[layer] : -1,
                    shape_.kv_cache ? v_states[layer] : -1);
      x = mlp(x, scope);
    }
    x = layer_norm(x, "transformer.ln_f");
    x = g_.node("aten::slice", {x}, {1.0, h_}, {.scope = "transformer", .view = true});
    return g_.finish({head(x)});
  }

 private:
  // Of all rows, or in pieces that each take what those before it have found.
  ValueId embedding(ValueId tokens) {
    const std::int64_t rows = shape_.vocabulary / shape_.pieces;
    ValueId x = -1;
    for (std::int64_t i = 0; i < shape_.pieces; ++i) {
      const std::string name = "word_embeddings.weight";
      const std::string piece = fmt::format("[{}:{}]", i * rows, (i + 1) * rows);
      tables_.push_back(g_.weight(shape_.pieces > 1 ? name + piece : name, {rows, shape_.hidden}));
      std::vector<ValueId> operands = {tables_.back(), tokens};
      if (i > 0) operands.insert(operands.begin(), x);
      x = g_.node("aten::embedding", operands, {kNew, h_},
                  {.scope = "transformer.word_embeddings"});
      g_.last_node().bytes_moved = kNew * (8 * h_);
      g_.last_node().is_piece = shape_.pieces > 1;
    }
    return x;
  }

  ValueId head(ValueId x) {
    const auto rows = static_cast<double>(shape_.vocabulary / shape_.pieces);
    std::vector<ValueId> parts;
    for (const ValueId table : tables_) {
      parts.push_back(g_.node("aten::linear", {x, table}, {1.0, rows},
                              {.scope = "lm_head", .flops = 2 * h_ * rows}));
      g_.last_node().is_piece = shape_.pieces > 1;
    }
    if (parts.size() == 1) return parts.front();
    return g_.node("aten::cat", parts, {1.0, rows * static_cast<double>(parts.size())},
                   {.scope = "lm_head"});
  }

  void step_values() {
    const auto heads = static_cast<double>(shape_.heads);
    const ValueId slopes = g_.weight("alibi_slopes", {shape_.heads});
    total_ = g_.node("aten::add", {new_tokens_, cached_tokens_}, {},
                     {.dtype = DType::kInt64, .is_tensor = false});
    const ValueId keys = g_.node("aten::arange", {total_}, {kTotal}, {.dtype = DType::kInt64});
    const ValueId queries =
        g_.node("aten::arange", {cached_tokens_, total_}, {kNew}, {.dtype = DType::kInt64});
    alibi_ = g_.node("aten::mul", {keys, slopes}, {heads, 1.0, kTotal}, {.flops = kTotal * heads});
    mask_ = g_.node("aten::gt", {keys, queries}, {kNew, kTotal}, {.dtype = DType::kBool});
  }

  ValueId layer_norm(ValueId x, const std::string& scope) {
    const ValueId weight = g_.weight(scope + ".weight", {shape_.hidden});
    const ValueId bias = g_.weight(scope + ".bias", {shape_.hidden});
    return g_.node("aten::layer_norm", {x, weight, bias}, {kNew, h_},
                   {.scope = scope, .flops = kNew * (5 * h_)});
  }

  ValueId linear(ValueId x, std::int64_t in, std::int64_t out, const std::string& scope) {
    const ValueId weight = g_.weight(scope + ".weight", {out, in});
    const ValueId bias = g_.weight(scope + ".bias", {out});
    const double flops = 2.0 * static_cast<double>(in) * static_cast<double>(out);
    return g_.node("aten::linear", {x, weight, bias}, {kNew, static_cast<double>(out)},
                   {.scope = scope, .flops = kNew * flops});
  }

  // Writes k or v into its state and gives the part that holds all tokens so far.
  ValueId cached(ValueId state, ValueId fresh, const std::string& scope) {
    if (state < 0) return fresh;
    const NodeOptions view{.scope = scope, .view = true};
    const ValueId room = g_.node("aten::slice", {state, cached_tokens_, total_}, {kNew, h_}, view);
    g_.node("aten::copy_", {room, fresh}, {}, {.scope = scope, .produces = false});
    return g_.node("aten::slice", {state, total_}, {kTotal, h_}, view);
  }

  ValueId attention(ValueId x, const std::string& block, ValueId k_state, ValueId v_state) {
    const std::string scope = block + ".self_attention";
    const auto heads = static_cast<double>(shape_.heads);
    const StepFunction keys = shape_.kv_cache ? kTotal : kNew;
    const StepFunction square = product({kNew, keys});
    const NodeOptions view{.scope = scope, .view = true};
    const ValueId norm = layer_norm(x, block + ".input_layernorm");
    const ValueId qkv = linear(norm, shape_.hidden, 3 * shape_.hidden, scope + ".query_key_value");
    const ValueId q = g_.node("aten::slice", {qkv}, {kNew, h_}, view);
    const ValueId k = cached(k_state, g_.node("aten::slice", {qkv}, {kNew, h_}, view), scope);
    const ValueId v = cached(v_state, g_.node("aten::slice", {qkv}, {kNew, h_}, view), scope);
    ValueId scores = g_.node("aten::matmul", {q, k}, {heads, kNew, keys},
                             {.scope = scope, .flops = square * (2 * h_)});
    scores = g_.node("aten::add", {scores, alibi_}, {heads, kNew, keys},
                     {.scope = scope, .flops = square * heads});
    scores = g_.node("aten::masked_fill", {scores, mask_}, {heads, kNew, keys}, {.scope = scope});
    scores = g_.node("aten::softmax", {scores}, {heads, kNew, keys},
                     {.scope = scope, .flops = square * (5 * heads)});
    const ValueId context = g_.node("aten::matmul", {scores, v}, {kNew, h_},
                                    {.scope = scope, .flops = square * (2 * h_)});
    const ValueId out = linear(context, shape_.hidden, shape_.hidden, scope + ".dense");
    return g_.node("aten::add", {out, x}, {kNew, h_}, {.scope = scope, .flops = kNew * h_});
  }

  ValueId mlp(ValueId x, const std::string& block) {
    const std::string scope = block + ".mlp";
    const ValueId norm = layer_norm(x, block + ".post_attention_layernorm");
    ValueId y = linear(norm, shape_.hidden, 4 * shape_.hidden, scope + ".dense_h_to_4h");
    y = g_.node("aten::gelu", {y}, {kNew, 4 * h_}, {.scope = scope, .flops = kNew * (32 * h_)});
    y = linear(y, 4 * shape_.hidden, shape_.hidden, scope + ".dense_4h_to_h");
    return g_.node("aten::add", {y, x}, {kNew, h_}, {.scope = scope, .flops = kNew * h_});
  }

  SyntheticBloom shape_;
  double h_;
  GraphBuilder g_;
  std::vector<ValueId> tables_;  // the pieces of the embedding
  ValueId new_tokens_ = -1, cached_tokens_ = -1, total_ = -1, alibi_ = -1, mask_ = -1;
};

}  // namespace internal

inline Graph synthetic_bloom(const SyntheticBloom& shape = {}) {
  return internal::BloomBuilder(shape).build();
}

// A chain of equal segments, each of which hands [n, hop_bytes_per_token / 4] fp32 to the next; the
// first takes tokens [n], the last gives logits [1, vocabulary]. Value 0 is the input, value i + 1
// what segment i makes.
struct SyntheticChain {
  int segments = 4;
  double flops_per_token = 1e9;  // of each segment
  std::int64_t weights_bytes = 4'000'000;
  std::int64_t hop_bytes_per_token = 4096;
  std::int64_t state_bytes_per_token = 0;
  std::int64_t vocabulary = 16;
};

inline Segmentation synthetic_segmentation(const SyntheticChain& chain = {}) {
  Segmentation result;
  result.model = "synthetic-chain";
  result.rule = "synthetic";
  const auto tensor = [](ValueId id, DType dtype, std::vector<StepFunction> dims) {
    const StepFunction bytes = product(dims) * static_cast<double>(dtype_bytes(dtype));
    return TensorSpec{id, fmt::format("v{}", id), dtype, true, std::move(dims), bytes};
  };
  const double width = static_cast<double>(chain.hop_bytes_per_token) / 4;
  TensorSpec carried = tensor(0, DType::kInt64, {kNew});
  result.model_inputs = {carried};
  for (int i = 0; i < chain.segments; ++i) {
    const std::string number = std::to_string(i);
    Segment segment;
    segment.id = i;
    segment.name = "s." + number;
    segment.first_node = segment.last_node = i;
    segment.inputs = {carried};
    if (chain.state_bytes_per_token > 0) {
      segment.state = {{chain.segments + 1 + i,
                        "kv." + number,
                        DType::kFloat32,
                        {kCapacity, chain.state_bytes_per_token / 4}}};
    }
    segment.weights = {{"w." + number, DType::kFloat32, {chain.weights_bytes / 4}}};
    const auto last = static_cast<double>(chain.vocabulary);
    carried = i + 1 < chain.segments ? tensor(i + 1, DType::kFloat32, {kNew, width})
                                     : tensor(i + 1, DType::kFloat32, {1.0, last});
    segment.outputs = {carried};
    segment.flops = kNew * chain.flops_per_token;
    segment.bytes_moved = StepFunction(static_cast<double>(chain.weights_bytes));
    result.segments.push_back(std::move(segment));
  }
  result.model_outputs = {carried.value};
  return result;
}

}  // namespace lingua::testing
