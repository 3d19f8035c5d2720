#pragma once
// From a model on disk to its Graph and a source of its weights and programs.
//
// A model is a folder in Hugging Face's layout (config.json and model.safetensors or its shards) or a
// GGUF file (the family is built in C++ as TorchScript), the name of a published configuration ("bloom-560m":
// shapes without weights), or any TorchScript file whose forward takes and returns tensors.
//
// forward of a language model, after its weights are taken out of it:
//   (tokens [n] int64, new_tokens int, cached_tokens int, state...) -> logits [n or 1, V]
// where tokens is the one model input and the logits the one output. With Head::kScore it takes
// targets [n] int64 as a second input and returns the natural logarithm of the probability of each
// target after its position, [n] float32. A classifier returns logits [1, labels] after the last
// token that is not padding, whatever the head.
// Errors: InputError names file, field and value.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/model/graph.h"
#include "runtime/model/model_source.h"

namespace lingua {

enum class Head {
  kLast,   // logits of the last position only: enough to generate
  kAll,    // of all positions, as the paper runs it
  kScore,  // log-probabilities of given targets: for perplexity, without sending logits
};

// What a classifier's logits are made into.
enum class ClassScore {
  kShares,  // soft-max: one label is right
  kEach,    // the logistic function of each: several labels may be
  kRaw,     // nothing: regression, rewards
};

// How the matrices with a row for each token, embedding and LM head, are cut by rows: each piece is a
// weight and a node of its own, and a tied head has the pieces of its embedding. Logits are the same, bit
// for bit.
struct HeadPieces {
  // The least number of pieces. 0: as few as leave no piece more than a sixteenth of the model's weights.
  std::int64_t count = 1;
  double most_bytes = 0;  // of a piece, so that there are more; 0: no bound
};

struct ImportOptions {
  DType dtype = DType::kFloat32;  // of weights and activations; for a folder or name
  bool kv_cache = true;           // of a language model's folder or name; else there is none
  Head head = Head::kLast;        // for a folder or name
  // Every matrix of weights in int8, one scale per output channel: for a folder or name. The graph is
  // the same, node for node and value for value, as without (see quantise.h).
  bool int8 = false;
  HeadPieces head_pieces;  // for a folder or name
  // For a TorchScript file, what the arguments of forward are: "NAME=DIMxDIMx...:DTYPE" for a
  // tensor, where a dimension is a number or n ("tokens=1xn:int64"), several of these with commas for
  // a list or tuple, and "NAME=VALUE" for a number. Empty: one int64 input of shape 1xn is tried.
  std::vector<std::string> inputs;
};

// What an integer input may be: 0 to end - 1.
struct IndexRange {
  std::int64_t end = 0;  // 0: no operation bounds it
  std::string why_not;   // random numbers do not do; else empty
};

struct ImportedModel {
  Graph graph;
  std::unique_ptr<ModelSource> source;
  std::string family;               // "gemma3"; empty for a TorchScript file
  bool is_language_model = false;   // takes token ids, gives logits over a vocabulary
  std::vector<std::string> labels;  // of a classifier (config.json's id2label); else empty
  ClassScore class_score = ClassScore::kShares;
  std::int64_t vocabulary = 0;
  std::int64_t head_pieces = 1;           // that there are
  std::vector<std::int64_t> stop_tokens;  // end-of-sequence ids from config.json
  bool kv_cache = false;                  // the graph has states
  std::int64_t max_positions = 0;         // the longest sequence it was trained on; 0: not known
  std::vector<std::string> notes;         // what its user should know of the files: a line each
  std::map<std::string, IndexRange> index_inputs;  // by the input's name
  std::string why_not_computed;  // the operation that this LibTorch lacks in fp16; else empty
};

ImportedModel import_model(const std::string& model, const ImportOptions& options);

// What plain LibTorch gives for one prompt: the unsplit module in this process, a loop around
// forward, no seam.
struct ReferenceResult {
  std::vector<std::int64_t> tokens;
  std::vector<std::vector<float>> logits;  // of the last position, per step, when asked for
  double prefill_s = 0;
  double decode_s = 0;  // all further tokens together
};
// A token, and whether it ends the answer.
struct Choice {
  std::int64_t token = 0;
  bool last = false;
};
// Chooses the next token of the prompt with this index from the logits of its last position,
// [V] float32, which last as long as the call.
using ChooseToken = std::function<Choice(std::size_t prompt, const Tensor& logits)>;
// The model is loaded once for all prompts. threads 0: as many as LibTorch takes. Without `choose`
// the largest logit is taken and nothing but max_tokens ends an answer.
std::vector<ReferenceResult> generate_reference(
    const std::string& model, const ImportOptions& options,
    const std::vector<std::vector<std::int64_t>>& prompts, std::int64_t max_tokens, int threads,
    bool keep_logits, const ChooseToken& choose = {});

// The outputs of the unsplit module for each of the requests' inputs (one for each model input, in the
// order of Graph::inputs), and how long each took. For TorchScript files.
struct ReferencePass {
  std::vector<Tensor> outputs;
  double seconds = 0;
};
std::vector<ReferencePass> run_reference(const std::string& model, const ImportOptions& options,
                                         const std::vector<std::vector<Tensor>>& requests,
                                         const std::vector<std::int64_t>& new_tokens, int threads);

}  // namespace lingua
