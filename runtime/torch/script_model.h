#pragma once
// A model as TorchScript, before it is a Graph: what families and files give to the importer.
//
// Internal to torch/: the only header shared there that includes LibTorch's JIT part.
// forward's arguments are, in order: model inputs, step scalars (int), states. Its result is a
// tensor, or tuples, lists and dictionaries of tensors, flattened in their order. Control flow that
// does not depend on tensor contents is allowed.

#include <torch/csrc/jit/api/module.h>

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/model/graph.h"
#include "runtime/torch/import.h"
#include "runtime/torch/weight_reader.h"

namespace lingua {

struct ForwardArgument {
  std::string name;
  // Of forward, when it takes several arguments of ours as one list or tuple; else empty: the name.
  std::string parameter;
  ValueKind kind = ValueKind::kInput;  // kInput, kStep or kState
  DType dtype = DType::kInt64;
  std::vector<StepFunction> dims;                   // of a kInput
  std::vector<std::int64_t> state_shape;            // of a kState: constants and kCapacity once
  StepScalar step_scalar = StepScalar::kNewTokens;  // of a kStep
};

struct ScriptModel {
  std::string name;
  // Parameters on the meta device when `reader` provides them (or nobody does); real ones otherwise.
  torch::jit::Module module;
  std::vector<ForwardArgument> arguments;
  std::map<std::string, c10::IValue> constants;  // parameters of forward that are always the same
  std::map<std::string, std::string> weight_names;  // attribute path in the module -> weight's name
  std::set<std::string> pieces;                     // weights that are pieces of a matrix
  std::unique_ptr<WeightReader> reader;             // null: shapes only, or real parameters
  std::string family;                               // "gemma3"; empty for a TorchScript file
  bool is_language_model = false;
  std::vector<std::string> labels;  // of a classifier
  ClassScore class_score = ClassScore::kShares;
  std::vector<std::string> notes;
  std::int64_t vocabulary = 0;
  std::int64_t head_pieces = 1;
  std::int64_t max_positions = 0;  // 0: not known
  std::vector<std::int64_t> stop_tokens;
  bool kv_cache = false;
  StepFreedom freedom;
};

// A model folder, a GGUF file or the name of a configuration; its family builds the module.
ScriptModel load_model_folder(const std::string& model, const ImportOptions& options);

// True when `model` is one of these, false for what must be a TorchScript file.
bool has_family(const std::string& model);

// A TorchScript file, with its real parameters. An input that the options do not describe has no
// dims: import_model tries some.
ScriptModel load_script_file(const std::string& file, const ImportOptions& options);

// The graph of a script, and the source of its weights and programs.
ImportedModel import_script(ScriptModel model);

}  // namespace lingua
