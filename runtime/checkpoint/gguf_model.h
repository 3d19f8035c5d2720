#pragma once
// A GGUF file as if it were a folder in Hugging Face's layout.
//
// The config has the fields of that family's config.json (model_type, hidden_size, ...), the weights
// have the names, shapes and values of that family's checkpoints: what the conversion to GGUF did
// (rows of query and key reordered for Llama, 1 added to Gemma's norms, names) is undone here.
// Families: llama (also Mistral, TinyLlama, SmolLM2), qwen2, qwen3, gemma3.
// Errors: InputError names the file, and the architecture with the list of supported ones.
// Source: github.com/ggml-org/llama.cpp, gguf-py/gguf/{constants,tensor_mapping}.py and
// convert_hf_to_gguf.py (names, keys and what the conversion changes).

#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/checkpoint/gguf.h"

namespace lingua {

nlohmann::json config_of(const Gguf& file);

// REQUIRES: `file` outlives the result.
std::unique_ptr<StoredWeights> weights_of(const Gguf& file);

}  // namespace lingua
