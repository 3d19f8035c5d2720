#pragma once
// A GGUF file as if it were a folder in Hugging Face's layout.
//
// The config has the fields of that family's config.json (model_type, hidden_size, ...), the weights
// have the names, shapes and values of that family's checkpoints: what the conversion to GGUF did
// (rows of query and key reordered for Llama, 1 added to Gemma's norms, names) is undone here.
// Families: llama (also Mistral, TinyLlama, SmolLM2), qwen2, qwen3, gemma3.
// What a file does not say is what llama.cpp takes for it: attention over all positions for llama
// (also Mistral 7B v0.1, whose window no file holds); 5 sliding layers to 1 full one, a local
// rotary base of 10,000 and the query scale of its size for gemma3. Llama 3's scaling of positions
// is read back from the tensor that holds its result; yarn's is taken with the magnitude of attention
// that follows from its factor. Sizes may be lists with an entry for each layer, all equal.
// Errors: InputError names the file and the key or tensor: an architecture that is not supported
// (with the list of those that are), mixtures of experts, other scalings of positions, a model in
// several files, a tensor that such a model does not have.
// Source: github.com/ggml-org/llama.cpp, gguf-py/gguf/{constants,tensor_mapping}.py and
// conversion/ (names, keys and what the conversion changes); src/models/ (what is assumed).

#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/checkpoint/gguf.h"

namespace lingua {

// Refuses GGUF files that hold something else than a whole model: adapters, vision parts,
// parts of a split model, vocabularies alone, tensors under the names of another format.
void check_holds_model(const Gguf& file);

// As config.json has it.
nlohmann::json config_of(const Gguf& file);

// Under names like "model.layers.0.self_attn.q_proj.weight". REQUIRES: `file` outlives the result.
std::unique_ptr<StoredWeights> weights_of(const Gguf& file);

}  // namespace lingua
