#pragma once
// In which dtype a model is computed unless it is asked otherwise.
//
// Errors: InputError as import_model().

#include <optional>
#include <string>

#include "runtime/model/graph.h"

namespace lingua {

// That of the weights of a folder or GGUF file as they are stored (StoredWeights::own_dtype);
// without weights what config.json says (dtype or torch_dtype: float32), else bfloat16, as for
// published names. Nothing for a TorchScript file, which has its own.
std::optional<DType> own_dtype(const std::string& model);

}  // namespace lingua
