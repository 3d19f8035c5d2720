#pragma once
// What a checkpoint holds beside the tensors that its model reads: the sign of a config that is not
// the checkpoint's (biases that it does not switch on, more layers than it counts).
//
// transformers leaves such tensors out and warns; so do we. Silent are buffers that every loader
// computes itself (rotary_emb.inv_freq, masks of attention) and the parts of a multimodal checkpoint
// that are not the text model. A head beside tied embeddings is silent where both are the same;
// where they differ version 4 of transformers takes the embeddings for the head and version 5 does
// not, and the checkpoint is refused.
// Source: transformers 4.57.6 and 5.24.0, modeling_utils.py (_adjust_missing_and_unexpected_keys,
// tie_weights).

#include <optional>
#include <set>
#include <string>

#include "runtime/checkpoint/stored_weights.h"

namespace lingua {

struct TensorsRead {
  std::set<std::string> names;  // in the checkpoint
  std::string tied;    // the embedding that is the head as well, in the checkpoint; or empty
  std::string config;  // the file that chose them, for messages
};

// One line that names the unused tensors, the first few and how many more; nothing without any.
// Errors: InputError for a head that differs from the embedding that stands for it.
std::optional<std::string> note_of_unused(const StoredWeights& stored, const TensorsRead& read);

}  // namespace lingua
