#include "runtime/checkpoint/gguf_architecture.h"

#include <fmt/format.h>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"

namespace lingua {
namespace {

// The modules that all have; a checkpoint calls the norm before the feed-forward part `ffn_norm`.
std::vector<GgufModule> modules(bool qkv_bias, bool other_attention_bias, bool feed_forward_bias,
                                const char* ffn_norm, const std::vector<GgufModule>& more) {
  std::vector<GgufModule> all = {
      {"attn_norm", "input_layernorm", false, true},
      {"attn_q", "self_attn.q_proj", qkv_bias},
      {"attn_k", "self_attn.k_proj", qkv_bias},
      {"attn_v", "self_attn.v_proj", qkv_bias},
      {"attn_output", "self_attn.o_proj", other_attention_bias},
      {"ffn_norm", ffn_norm, false, true},
      {"ffn_gate", "mlp.gate_proj", feed_forward_bias},
      {"ffn_up", "mlp.up_proj", feed_forward_bias},
      {"ffn_down", "mlp.down_proj", feed_forward_bias},
  };
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

const std::vector<GgufArchitecture>& all_architectures() {
  static const std::vector<GgufModule> head_norms = {
      {"attn_q_norm", "self_attn.q_norm", false, true},
      {"attn_k_norm", "self_attn.k_norm", false, true},
  };
  static const std::vector<GgufModule> gemma_norms = {
      head_norms[0],
      head_norms[1],
      {"post_attention_norm", "post_attention_layernorm", false, true},
      {"post_ffw_norm", "post_feedforward_layernorm", false, true},
  };
  constexpr const char* kAfterAttention = "post_attention_layernorm";
  static const std::vector<GgufArchitecture> all = {
      {"llama", "llama", "LlamaForCausalLM", "silu", true, false,
       modules(true, true, true, kAfterAttention, {})},
      {"qwen2", "qwen2", "Qwen2ForCausalLM", "silu", false, false,
       modules(true, false, false, kAfterAttention, {})},
      {"qwen3", "qwen3", "Qwen3ForCausalLM", "silu", false, false,
       modules(true, true, false, kAfterAttention, head_norms)},
      {"gemma3", "gemma3_text", "Gemma3ForCausalLM", "gelu_pytorch_tanh", false, true,
       modules(true, true, false, "pre_feedforward_layernorm", gemma_norms)},
  };
  return all;
}

}  // namespace

const GgufArchitecture& architecture_of(const Gguf& file) {
  if (const Gguf::Value* parts = file.find_value("split.count"); parts != nullptr) {
    const auto* count = std::get_if<std::int64_t>(parts);
    if (count == nullptr || *count > 1) {  // 0 is what merging leaves
      throw InputError(fmt::format(
          "{}: metadata key 'split.count': the model is spread over several files; one file is "
          "read (gguf-split --merge makes it)",
          file.path()));
    }
  }
  const std::string& name = file.value<std::string>("general.architecture");
  std::string known;
  for (const GgufArchitecture& architecture : all_architectures()) {
    if (name == architecture.name) return architecture;
    known += std::string(known.empty() ? "" : ", ") + architecture.name;
  }
  throw InputError(
      fmt::format("{}: metadata key 'general.architecture': {} is not supported; supported are {}",
                  file.path(), quoted(name), known));
}

}  // namespace lingua
