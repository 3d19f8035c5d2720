#pragma once
// What a GGUF architecture is called, and which of its tensors are which weights, in Hugging Face's
// terms. Private to gguf_config.cpp and gguf_model.cpp.
//
// Source: github.com/ggml-org/llama.cpp, gguf-py/gguf/{constants,tensor_mapping}.py (names) and
// conversion/{base,llama,qwen,gemma}.py (what the conversion changes).

#include <string>
#include <vector>

#include "runtime/checkpoint/gguf.h"

namespace lingua {

// One module of a layer: "attn_q", "self_attn.q_proj".
struct GgufModule {
  const char* in_file;
  const char* in_checkpoint;
  bool may_have_bias = false;
  bool is_norm = false;
};

struct GgufArchitecture {
  const char* name;        // general.architecture, and the prefix of its keys
  const char* model_type;  // of config.json
  const char* class_name;  // in `architectures` of config.json
  const char* activation;
  // The conversion stores the rows of query and key for rotation of neighbours, not of halves.
  bool rows_reordered = false;
  // The conversion adds 1 to the weights of norms.
  bool norms_shifted = false;
  std::vector<GgufModule> modules;
};

// Errors: InputError when the file's architecture is not supported, or the file is one of several.
const GgufArchitecture& architecture_of(const Gguf& file);

}  // namespace lingua
