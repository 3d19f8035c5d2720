#include "tests/fuzz/target.h"
#include "tests/fuzz/tokenizer_use.h"

namespace lingua::testing {
namespace {

void run(const std::string& bytes) {
  static const OneFileFolder folder("tokenizer.json");
  use(*load_tokenizer(folder.with(bytes)));
}

std::vector<std::string> samples() {
  std::vector<std::string> all;
  for (const char* name : {"bloom", "gemma", "gpt2", "llama3", "mistral", "odd", "qwen2"}) {
    all.push_back(read_file(std::string(LINGUA_TEXT_GOLDEN "/") + name + ".tokenizer.json"));
  }
  return all;
}

}  // namespace

FuzzTarget tokenizer_json_target() { return {"tokenizer_json", run, samples}; }

}  // namespace lingua::testing
