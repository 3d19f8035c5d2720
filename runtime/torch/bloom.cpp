#include "runtime/torch/bloom.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

// TorchScript's numbers of the dtypes.
constexpr int kFloat32 = 6;
constexpr int kBFloat16 = 15;

// Weight and bias of layer norms and linear maps, by the name of their module.
struct Modules {
  std::vector<BloomWeight> weights;
  DType dtype;

  void add(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::string attribute = name;
    std::replace(attribute.begin(), attribute.end(), '.', '_');
    weights.push_back({attribute, {name, dtype, shape}});
  }
  void layer_norm(const std::string& name, std::int64_t size) {
    add(name + ".weight", {size});
    add(name + ".bias", {size});
  }
  void linear(const std::string& name, std::int64_t in, std::int64_t out) {
    add(name + ".weight", {out, in});
    add(name + ".bias", {out});
  }
};

class Script {
 public:
  Script(const BloomConfig& config, const ImportOptions& options) : c_(config), options_(options) {}

  std::string write() {
    signature();
    prologue();
    for (std::int64_t layer = 0; layer < c_.layers; ++layer) block(layer);
    head();
    return text_;
  }

 private:
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    text_ += "  ";
    fmt::format_to(std::back_inserter(text_), format, std::forward<Args>(args)...);
    text_ += '\n';
  }

  void layer_norm(const std::string& out, const std::string& in, const std::string& module) {
    line("{} = torch.layer_norm({}, [{}], self.{}_weight, self.{}_bias, {:.9g})", out, in,
         c_.hidden, module, module, c_.epsilon);
  }

  static std::string linear(const std::string& in, const std::string& module) {
    return fmt::format("torch.linear({}, self.{}_weight, self.{}_bias)", in, module, module);
  }

  bool is_bfloat16() const { return options_.dtype == DType::kBFloat16; }

  void signature() {
    text_ = "def forward(self, tokens: Tensor, new_tokens: int, cached_tokens: int";
    for (std::int64_t layer = 0; options_.kv_cache && layer < c_.layers; ++layer) {
      text_ += fmt::format(", k_{}: Tensor, v_{}: Tensor", layer, layer);
    }
    text_ += ") -> Tensor:\n";
  }

  void prologue() {
    // Masked positions: far below any score, and finite in bfloat16 too.
    constexpr const char* kMasked = "-1e38";
    const char* cached = options_.kv_cache ? "cached_tokens" : "0";
    line("total = new_tokens + {}", cached);
    line("slopes = torch.tensor([{:.9g}]).view([{}, 1, 1])",
         fmt::join(bloom_alibi_slopes(c_.heads), ", "), c_.heads);
    line("alibi = slopes * torch.arange(total)");
    line("mask = torch.triu(torch.full([new_tokens, total], {}), {} + 1)", kMasked, cached);
    line("bias = alibi + mask");
    if (is_bfloat16()) line("bias = bias.to(dtype={})", kBFloat16);
    line("x = torch.embedding(self.word_embeddings_weight, tokens)");
    layer_norm("x", "x", "word_embeddings_layernorm");
  }

  void block(std::int64_t layer) {
    const std::string h = fmt::format("h_{}", layer);
    const auto residual = [&] { return c_.residual_after_layer_norm ? "norm" : "x"; };
    layer_norm("norm", "x", h + "_input_layernorm");
    attention(layer, h + "_self_attention");
    line("x = {} + {}", linear("context", h + "_self_attention_dense"), residual());
    layer_norm("norm", "x", h + "_post_attention_layernorm");
    line("inner = torch.gelu({}, approximate=\"tanh\")", linear("norm", h + "_mlp_dense_h_to_4h"));
    line("x = {} + {}", linear("inner", h + "_mlp_dense_4h_to_h"), residual());
  }

  // BLOOM's fused weight holds query, key and value of head 0, then those of head 1, and so on.
  void attention(std::int64_t layer, const std::string& module) {
    line("qkv = {}.view([new_tokens, {}, 3, {}]).permute([2, 1, 0, 3])",
         linear("norm", module + "_query_key_value"), c_.heads, c_.head_dim());
    std::string keys = "qkv[1].transpose(1, 2)";
    std::string values = "qkv[2]";
    if (options_.kv_cache) {
      line("k_{}.narrow(2, cached_tokens, new_tokens).copy_({})", layer, keys);
      line("v_{}.narrow(1, cached_tokens, new_tokens).copy_({})", layer, values);
      keys = fmt::format("k_{}.narrow(2, 0, total)", layer);
      values = fmt::format("v_{}.narrow(1, 0, total)", layer);
    }
    line("scores = torch.baddbmm(bias, qkv[0], {}, beta=1, alpha={:.17g})", keys,
         1.0 / std::sqrt(static_cast<double>(c_.head_dim())));
    line("context = torch.bmm(torch.softmax(scores, -1), {})", values);
    line("context = context.transpose(0, 1).reshape([new_tokens, {}])", c_.hidden);
  }

  void head() {
    if (options_.head == Head::kLast) line("x = x[-1:]");
    layer_norm("x", "x", "ln_f");
    line("logits = torch.linear(x, self.word_embeddings_weight)");
    if (is_bfloat16()) line("logits = logits.to(dtype={})", kFloat32);
    line("return logits");
  }

  const BloomConfig& c_;
  const ImportOptions& options_;
  std::string text_;
};

}  // namespace

std::vector<BloomWeight> bloom_weights(const BloomConfig& config, DType dtype) {
  const std::int64_t h = config.hidden;
  Modules modules{{}, dtype};
  modules.add("word_embeddings.weight", {config.vocabulary, h});
  modules.layer_norm("word_embeddings_layernorm", h);
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string block = fmt::format("h.{}.", layer);
    modules.layer_norm(block + "input_layernorm", h);
    modules.linear(block + "self_attention.query_key_value", h, 3 * h);
    modules.linear(block + "self_attention.dense", h, h);
    modules.layer_norm(block + "post_attention_layernorm", h);
    modules.linear(block + "mlp.dense_h_to_4h", h, 4 * h);
    modules.linear(block + "mlp.dense_4h_to_h", 4 * h, h);
  }
  modules.layer_norm("ln_f", h);
  return std::move(modules.weights);
}

std::vector<float> bloom_alibi_slopes(std::int64_t heads) {
  const auto power_of_two =
      static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(heads)));
  const auto base = [](std::int64_t count) {  // 2^(-8 / count)
    return static_cast<float>(
        std::pow(2.0, -std::pow(2.0, 3.0 - std::log2(static_cast<double>(count)))));
  };
  std::vector<float> slopes;
  for (std::int64_t i = 1; i <= power_of_two; ++i) {
    slopes.push_back(std::pow(base(power_of_two), static_cast<float>(i)));
  }
  for (std::int64_t i = 1; static_cast<std::int64_t>(slopes.size()) < heads; i += 2) {
    slopes.push_back(std::pow(base(2 * power_of_two), static_cast<float>(i)));
  }
  return slopes;
}

std::string bloom_script(const BloomConfig& config, const ImportOptions& options) {
  LINGUA_CHECK(options.dtype == DType::kFloat32 || options.dtype == DType::kBFloat16);
  return Script(config, options).write();
}

}  // namespace lingua
