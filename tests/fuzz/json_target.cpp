#include "runtime/checkpoint/json.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {
namespace {

void run(const std::string& bytes) {
  const nlohmann::json parsed = parse_json(bytes, "fuzzed.json", 16);
  if (parsed.is_string()) quoted(parsed.get<std::string>());
}

std::vector<std::string> samples() {
  return {
      R"({"model_type":"llama","hidden_size":8,"rope_scaling":{"factor":8.0,"rope_type":"linear"}})",
      R"({"layer_types":["full_attention"],"eos_token_id":[1,106],"tie_word_embeddings":true})",
      R"([null,false,-1.5e-7,18446744073709551615,"\u00e9\ud83d\ude00",{"":{}}])",
      R"("text")",
  };
}

}  // namespace

FuzzTarget json_target() { return {"json", run, samples}; }

}  // namespace lingua::testing
