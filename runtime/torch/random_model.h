#pragma once
// Seeded random models in published or custom sizes: real shapes without a download.
//
// Determinism: the same name, dtype and seed give the same files, byte for byte.
// Distribution: norms only normalise, all else is close to normal with mean 0 and the family's
// initializer_range, but for the two matrices of a block that write to the residual stream. Drawn
// like the rest they would leave the embedding of the last token in charge, and greedy decoding
// would repeat that token for ever; drawn wide in the MLP and narrow in the attention (a wide one
// averages all positions to much the same) they make tokens that vary with position and prompt. In
// Gemma a norm follows both: there the one after the attention is narrow.
// Source: BLOOM configurations, huggingface.co/bigscience/bloom-* config.json.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "runtime/model/graph.h"

namespace lingua {

struct RandomModelOptions {
  // A published size ("bloom-560m"), or a custom one:
  // "bloom:hidden=64,layers=4,heads=4,vocabulary=256".
  std::string name;
  std::uint64_t seed = 1;
  DType dtype = DType::kBFloat16;  // as stored
  std::filesystem::path folder;    // made; must not hold a model already
};

// Names of the published sizes.
std::vector<std::string> published_models();

// Writes config.json and model.safetensors, one tensor in memory at a time. `progress` is called
// with the share done (0 to 1).
void write_random_model(const RandomModelOptions& options,
                        const std::function<void(double)>& progress);

}  // namespace lingua
