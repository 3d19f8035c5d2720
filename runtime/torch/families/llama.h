#pragma once
// Llama 1 to 3, TinyLlama and SmolLM2 (model_type llama), and Mistral, which looks back a window.
//
// Source: Touvron et al., arXiv 2302.13971 and 2307.09288; Jiang et al., Mistral 7B, arXiv
// 2310.06825; Hugging Face transformers, modeling_llama.py and modeling_mistral.py; config.json of
// the repositories named in llama.cpp.

#include "runtime/torch/family.h"

namespace lingua {

const Family& llama_family();
const Family& mistral_family();

}  // namespace lingua
