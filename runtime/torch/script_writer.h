#pragma once
// What the text of every family is made of: weights, states, and the pieces that families share.
//
// A family writes its forward from top to bottom; what it uses on the way (weights, states) is
// collected. The text is unrolled, without control flow, with sizes as constants. Statements leave
// their result in a variable of the text; functions that return text give expressions.
// Shapes: activations [n, h]. A layer's keys and values are [kv_heads, capacity, head_dim]; forward writes
// positions p .. p + n of them and reads 0 .. p + n.
// Positions and rotary tables depend on new_tokens, cached_tokens and constants alone and stand at the
// start: nothing else but the hidden state crosses from block to block.
// Precision: matrix products, attention and norms are computed in fp32 and rounded to the model's dtype.
// Logits are fp32 (widened where the model is bf16), so that a greedy choice compares the numbers
// that were computed; ties go to the lowest token.
// Determinism: a position's numbers have the same bits alone or beside others, in one step or in many,
// whatever the processor: the operations are ours (decoder_ops.h, linear_ops.h, int8_ops.h) or move, add
// and multiply single numbers. Except with dynamic NTK (Rotary::stretch), whose tables depend on the step.
// Every product with a matrix of weights is written by linear(), head() or embedding(), which take int8
// weights where the options say so. Of the matrices that have a row for each token, embedding() and head()
// make so many pieces as ImportOptions::head_pieces says; a tied head has the pieces of its embedding.

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/model/segment.h"
#include "runtime/torch/import.h"

namespace lingua {

// Consecutive rows of a matrix, as a weight of their own: "lm_head.weight[0:4096]".
struct RowPiece {
  std::string matrix;      // "lm_head.weight"
  std::int64_t first = 0;  // of its rows
  std::int64_t rows = 0;   // that the whole matrix has
  bool operator==(const RowPiece&) const = default;
};

struct ModelWeight {
  std::string attribute;  // of the TorchScript module: "h_0_input_layernorm_weight"
  WeightSpec spec;        // as the module holds it: "h.0.input_layernorm.weight"
  std::optional<RowPiece> piece = std::nullopt;
};

struct ModelState {
  std::string name;                 // forward's argument: "k_0"
  std::vector<std::int64_t> shape;  // constants and kCapacity once
};

// What `out = in * W^T + b` multiplies with.
struct LinearShape {
  std::int64_t in = 0;
  std::int64_t out = 0;
  bool bias = false;
};

struct AttentionShape {
  std::int64_t layer = 0;
  std::int64_t kv_heads = 0;  // the queries' heads are a multiple
  std::int64_t head_dim = 0;
  double scale = 1;         // of query times key
  std::int64_t window = 0;  // positions that one looks back at, its own included; 0: to the start
};

// Root mean square norm: x / sqrt(mean(x^2) + epsilon) * weight.
struct RmsNorm {
  std::int64_t size = 0;
  double epsilon = 1e-6;
  bool plus_one = false;  // the factor is 1 + weight, in fp32 throughout, as Gemma has it
};

// One set of rotary frequencies. Source: Su et al., RoFormer, arXiv 2104.09864.
struct Rotary {
  std::string name;                 // of the tables in the text: "global"
  std::vector<double> frequencies;  // radians per position, one for each pair of a head's elements
  double attention_factor = 1;      // times cosine and sine
  // Dynamic NTK: in a step that ends beyond the `trained` positions, at position t, the frequencies
  // are those of theta * (factor * t / trained - factor + 1)^(d / (d - 2)), d elements in a head.
  struct Stretch {
    double theta = 0;
    double factor = 1;
    std::int64_t trained = 0;
    bool operator==(const Stretch&) const = default;
  };
  std::optional<Stretch> stretch;
  bool operator==(const Rotary&) const = default;
};

enum class Task { kLanguageModel, kClassifier };

class ScriptWriter {
 public:
  // REQUIRES: options.dtype is float32 or bfloat16, options.head_pieces.count at least 1 and at most the
  // number of tokens.
  ScriptWriter(const ImportOptions& options, Task task);

  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    body_ += "  ";
    fmt::format_to(std::back_inserter(body_), format, std::forward<Args>(args)...);
    body_ += '\n';
  }

  bool is_bfloat16() const { return options_.dtype == DType::kBFloat16; }

  // Declares `total`, the number of positions with this step's. Comes first.
  void positions();
  // The tables of a set of frequencies: {name}_cos and {name}_sin [n, head_dim / 2], in fp32.
  void rotary_tables(const Rotary& rotary);

  // A parameter, as an expression. The first use declares it.
  std::string weight(const std::string& name, const std::vector<std::int64_t>& shape);
  std::string weight(const std::string& name, const std::vector<std::int64_t>& shape, DType dtype);
  std::string embedding(const std::string& tokens, const std::string& module, std::int64_t rows,
                        std::int64_t size);
  std::string linear(const std::string& in, const std::string& module, const LinearShape& shape);
  // The same without a bias, for a matrix that has a row for each token of the vocabulary.
  std::string head(const std::string& in, const std::string& module, std::int64_t size,
                   std::int64_t rows);
  std::string layer_norm(const std::string& in, const std::string& module, std::int64_t size,
                         double epsilon);
  void rms_norm(const std::string& out, const std::string& in, const std::string& module,
                const RmsNorm& norm);
  // Turns a tensor [heads, n, head_dim] by its positions, in place of the variable.
  void rotate(const std::string& name, const std::string& tables);
  // context [n, heads * head_dim] from a query [heads, n, head_dim], keys and values [kv_heads, n,
  // head_dim] and ALiBi's slopes [heads] in fp32, or "None". The layer's states are written and read when
  // there is a cache.
  void attention(const AttentionShape& shape, const std::string& query, const std::string& key,
                 const std::string& value, const std::string& slopes);

  // Before the last norm: keeps the positions in `x` that the head needs; of a classifier the last
  // whose token is not `padding`, or the first where all are.
  void keep_needed_positions(const std::optional<std::int64_t>& padding);
  // forward's result from `logits` [n or 1, vocabulary or labels] in the model's dtype. softcap 0:
  // none; else logits become softcap * tanh(logits / softcap).
  void finish(double softcap);

  // The source of forward(self, tokens, [targets,] new_tokens, cached_tokens, [k_0, v_0, ...]).
  std::string source() const;
  bool takes_targets() const {
    return options_.head == Head::kScore && task_ == Task::kLanguageModel;
  }
  // A position's numbers do not depend on where a step ends: everywhere but with dynamic NTK.
  bool rows_know_their_place() const { return !stretches_; }
  const std::vector<ModelWeight>& weights() const { return weights_; }
  const std::vector<ModelState>& states() const { return states_; }

 private:
  std::string state(const std::string& name, const std::vector<std::int64_t>& shape);
  std::string declare(const WeightSpec& spec, const std::optional<RowPiece>& piece);
  // A weight that is multiplied with: int8 where the options say so.
  std::string matrix(const std::string& name, std::int64_t rows, std::int64_t width);
  // One of the pieces of a matrix.
  struct Piece {
    std::string weight;
    std::int64_t first = 0;
  };
  std::vector<Piece> pieces(const std::string& name, std::int64_t rows, std::int64_t width);
  const char* product() const { return options_.int8 ? "lingua.linear_int8" : "torch.linear"; }

  std::string past() const { return options_.kv_cache ? "cached_tokens" : "0"; }

  ImportOptions options_;
  Task task_;
  bool stretches_ = false;
  std::string body_;
  std::vector<ModelWeight> weights_;
  std::vector<ModelState> states_;
};

}  // namespace lingua
