#pragma once
// The tokens that end an answer, as a model's own files say it.
//
// Source: transformers, GenerationConfig (a folder's generation_config.json is what counts; its
// config.json, which the model's import reads, only where that says nothing); llama.cpp (of a GGUF
// file the ids for the end of sequence, of turn and of message, and the tokens that are written like
// one).

#include <string>
#include <vector>

#include "runtime/checkpoint/gguf.h"
#include "runtime/device/message.h"

namespace lingua {

// `model` is a model folder, a GGUF file or a published name; empty when its files do not say.
// Ids that the model cannot choose end nothing. Errors: InputError naming file and field.
std::vector<TokenId> model_stop_tokens(const std::string& model);

std::vector<TokenId> gguf_stop_tokens(const Gguf& file);

}  // namespace lingua
