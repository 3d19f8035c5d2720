#pragma once
// Qwen2 and 2.5 (biases of query, key and value) and Qwen3 (norms of query and key).
//
// Source: Yang et al., arXiv 2407.10671 and 2505.09388; Hugging Face transformers, modeling_qwen2.py
// and modeling_qwen3.py; config.json of the repositories named in qwen.cpp.

#include "runtime/torch/family.h"

namespace lingua {

const Family& qwen2_family();
const Family& qwen3_family();

}  // namespace lingua
