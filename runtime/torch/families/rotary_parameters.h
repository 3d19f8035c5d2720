#pragma once
// The rotary positions that a config asks for: the one reader of all families.
//
// Where a parameter stands, as transformers 4 (rope_theta, rope_scaling) and 5 (rope_parameters)
// write it:
//   scaling  `rope_scaling` where it is an object with contents, else `rope_parameters`; one of both
//            is read. Gemma 3's rope_parameters have an object for each kind of layer, and its
//            rope_scaling is for full_attention.
//   theta    in that object, else `rope_theta` beside it (`rope_local_base_freq` for Gemma 3's
//            sliding layers), else the family's.
//   type     `rope_type` or the older `type` in that object: default, linear, dynamic, yarn, llama3.
//   length   that yarn and llama3 stretch from: `original_max_position_embeddings` in that object,
//            else `max_position_embeddings`.
// Parameters that nothing reads are named in FamilyModel::notes. What versions 4 and 5 would both
// read, and not alike, is refused, and so are a scaling without a type, another type (longrope),
// and a rotation of a part of each head.
// Dynamic follows the number of positions of a step, as a new transformers model does that keeps
// its keys: those that a step adds are turned as that step's length asks, older ones stay.
// Source: transformers 4.57.6 and 5.24.0, modeling_rope_utils.py (RotaryEmbeddingConfigMixin and
// the _compute_..._parameters), models/*/modeling_*.py (...RotaryEmbedding), models/gemma3/
// configuration_gemma3.py; Peng et al., YaRN, arXiv 2309.00071.

#include <cstdint>
#include <vector>

#include "runtime/torch/family.h"

namespace lingua {

// The one set of frequencies of a model, called "rotary". `model` gets notes, and the length that
// the positions reach where that is more than max_position_embeddings.
Rotary read_rotary(const ConfigFields& fields, double theta, std::int64_t head_dim,
                   FamilyModel* model);

// Gemma 3's two: "full" and "sliding".
std::vector<Rotary> read_rotaries_by_kind(const ConfigFields& fields, double theta,
                                          double local_theta, std::int64_t head_dim,
                                          FamilyModel* model);

}  // namespace lingua
