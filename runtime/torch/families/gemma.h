#pragma once
// Gemma 3, text: norms before and after each half of a block and of query and key, most layers
// looking back a window with rotary positions of their own, an embedding that is scaled.
//
// model_type gemma3_text, or gemma3 (the multimodal model, of which the text part is taken).
// Source: Gemma Team, arXiv 2503.19786; Hugging Face transformers, modeling_gemma3.py; config.json
// of the repositories named in gemma.cpp.

#include "runtime/torch/family.h"

namespace lingua {

const Family& gemma3_family();

}  // namespace lingua
