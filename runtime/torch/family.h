#pragma once
// The families of models that are built here, and what each makes of one config.json.
//
// A family is one small file in families/: it reads the fields of its config and writes its forward
// with a ScriptWriter. To add one, write the file and name it in families().
// Errors: InputError names the config's file, field and value, and what is supported.

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/torch/config.h"
#include "runtime/torch/script_writer.h"

namespace lingua {

// One config, read by its family.
struct FamilyModel {
  std::string family;  // "gemma3"
  Task task = Task::kLanguageModel;
  std::int64_t hidden = 0;
  std::int64_t layers = 0;
  std::int64_t vocabulary = 0;
  std::int64_t max_positions = 0;         // 0: not known
  std::vector<std::int64_t> stop_tokens;  // end of sequence
  std::vector<std::string> labels;        // of a classifier
  ClassScore class_score = ClassScore::kShares;
  std::optional<std::int64_t> pad_token;  // a classifier passes over it at the end
  std::vector<std::string> notes;         // what its user should know: a line each
  double initializer_range = 0.02;        // deviation of random weights
  // What random weights are drawn by (random_model.h).
  std::int64_t inner = 0;      // width of the MLP
  bool gated = false;          // the MLP multiplies two of its projections
  double embedding_scale = 1;  // times a token's embedding, or 1 / initializer_range before a norm
  double norm_weight = 1;      // of a norm that only normalises
  bool norms_results = false;  // of attention and MLP, before they are added (as Gemma)
  // What may stand before the names of the weights in a checkpoint ("transformer."), tried in order;
  // the first is the usual one. That of a head is usually "".
  std::vector<std::string> prefixes;
  // Writes forward. REQUIRES: the writer is for this task.
  std::function<void(ScriptWriter&)> write;
};

// A configuration that is known by name.
struct PublishedModel {
  std::string name;        // "bloom-560m"
  std::string repository;  // on huggingface.co: "bigscience/bloom-560m"
  nlohmann::json config;
};

// A size that a custom model may have.
struct CustomSize {
  const char* name;   // "hidden"
  const char* field;  // of the config: "hidden_size"
  std::int64_t high = 0;
  bool required = true;
  std::int64_t times_hidden = 0;  // what it is when not given, times "hidden"; 0: the config's
};

struct Family {
  const char* name;
  std::vector<std::string> model_types;  // of config.json
  std::vector<std::string>
      architectures;  // of config.json; "...ForSequenceClassification" classify
  FamilyModel (*read)(const ConfigFields& fields);
  std::vector<PublishedModel> (*published)();
  nlohmann::json custom;  // what a custom model's config has beside its sizes
  std::vector<CustomSize> sizes;
  const char* example;  // "bloom:hidden=64,layers=4,heads=4,vocabulary=256"
};

// In the order in which messages list them.
const std::vector<const Family*>& families();

// The family of a config by its model_type and architectures, and what it makes of it.
FamilyModel read_family_model(const ConfigFields& fields);

// For families: task, labels and what their scores are, by `architectures` and problem_type.
void read_classes(const ConfigFields& fields, FamilyModel* model);

// For families: classes, vocabulary, stop and padding tokens, the longest sequence and the deviation
// of random weights, from the fields that all families call the same.
void read_common_fields(const ConfigFields& fields, std::int64_t vocabulary, FamilyModel* model);

// Names of the published configurations, and what to write for a custom one of each family.
std::vector<std::string> published_configs();
std::vector<std::string> custom_examples();

// The config of a published model ("bloom-560m", "bigscience/bloom-560m") or of a custom size
// ("bloom:hidden=64,layers=4,heads=4,vocabulary=256"); nothing for any other text.
// Errors: UsageError for a custom size with a field that is missing, unknown, twice or out of
// range, or that its family refuses.
std::optional<nlohmann::json> named_config(const std::string& name);

// How many token ids a model has, by the config of its folder, GGUF file or name; nothing for a
// TorchScript file, nor for what import_model refuses with better words.
std::optional<std::int64_t> known_vocabulary(const std::string& model);

}  // namespace lingua
