#include "runtime/text/tokenizer_class.h"

#include <map>

namespace lingua {
namespace {

TokenizerClass end_of_text_class(const char* name) {
  TokenizerClass made;
  made.name = name;
  made.bos = made.eos = made.unknown = "<|endoftext|>";
  return made;
}

TokenizerClass llama_class(const char* name) {
  TokenizerClass made;
  made.name = name;
  made.bos = "<s>";
  made.eos = "</s>";
  made.unknown = "<unk>";
  made.sets_ends = made.adds_bos = true;
  made.reads_pieces = made.prefixes_pieces = true;
  return made;
}

TokenizerClass gemma_class() {
  TokenizerClass made;
  made.name = "GemmaTokenizer";
  made.bos = "<bos>";
  made.eos = "<eos>";
  made.unknown = "<unk>";
  made.pad = "<pad>";
  made.sets_ends = made.adds_bos = true;
  made.reads_pieces = true;
  made.special_pieces = {"<start_of_turn>", "<end_of_turn>"};
  return made;
}

std::vector<TokenizerClass> all_classes() {
  TokenizerClass llama = llama_class("LlamaTokenizer");
  llama.keeps_prefix = llama.has_legacy = true;
  TokenizerClass code_llama = llama_class("CodeLlamaTokenizer");
  code_llama.additional = {"\u2581<PRE>", "\u2581<MID>", "\u2581<SUF>", "\u2581<EOT>"};
  TokenizerClass cohere = llama_class("CohereTokenizer");
  cohere.bos = "<BOS_TOKEN>";
  cohere.eos = "<|END_OF_TURN_TOKEN|>";
  cohere.unknown = "<UNK>";
  cohere.reads_pieces = cohere.prefixes_pieces = false;
  cohere.prefixes_nested = true;
  TokenizerClass neox = end_of_text_class("GPTNeoXTokenizer");
  neox.sets_ends = true;
  TokenizerClass qwen = end_of_text_class("Qwen2Tokenizer");
  qwen.bos.clear();
  qwen.pad = qwen.eos;
  qwen.wraps_names = true;
  TokenizerClass bloom;
  bloom.name = "BloomTokenizer";
  bloom.bos = "<s>";
  bloom.eos = "</s>";
  bloom.unknown = "<unk>";
  bloom.pad = "<pad>";
  bloom.prefixes_nested = true;
  return {llama,
          code_llama,
          gemma_class(),
          cohere,
          neox,
          qwen,
          bloom,
          end_of_text_class("GPT2Tokenizer"),
          end_of_text_class("CodeGenTokenizer")};
}

std::string class_of_model(const std::string& model_type) {
  static const std::map<std::string, std::string> kClasses = {
      {"bloom", "Bloom"},   {"gemma3", "Gemma"}, {"gemma3_text", "Gemma"}, {"llama", "Llama"},
      {"mistral", "Llama"}, {"qwen2", "Qwen2"},  {"qwen3", "Qwen2"}};
  const auto found = kClasses.find(model_type);
  return found == kClasses.end() ? "" : found->second + "Tokenizer";
}

}  // namespace

TokenizerClass tokenizer_class(const std::string& name, const std::string& model_type) {
  std::string wanted = name.empty() ? class_of_model(model_type) : name;
  if (wanted.ends_with("Fast")) wanted.resize(wanted.size() - 4);
  for (const TokenizerClass& known : all_classes()) {
    if (known.name == wanted) return known;
  }
  TokenizerClass plain;
  plain.name = wanted;
  plain.keeps_prefix = wanted.empty();
  return plain;
}

}  // namespace lingua
