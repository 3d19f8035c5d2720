#include "tests/fuzz/target.h"
#include "tests/fuzz/tokenizer_use.h"
#include "tests/support/gguf_writer.h"

namespace lingua::testing {
namespace {

void run(const std::string& bytes) {
  static const MemoryFile content;
  content.write(bytes);
  use(*load_tokenizer(content.path()));
}

// "llama" is SentencePiece, "gpt2" byte-level BPE.
std::string tokenizer(const std::string& model, const std::string& pre,
                      const std::vector<std::string>& tokens,
                      const std::vector<std::string>& merges) {
  std::vector<std::int32_t> types(tokens.size(), 1);
  types[0] = 2;
  types[1] = 3;
  GgufWriter writer;
  writer.text("tokenizer.ggml.model", model).text("tokenizer.ggml.pre", pre);
  writer.list("tokenizer.ggml.tokens", GgufWriter::kString, tokens);
  writer.list("tokenizer.ggml.scores", GgufWriter::kFloat32, std::vector<float>(tokens.size()));
  writer.list("tokenizer.ggml.token_type", GgufWriter::kInt32, types);
  if (!merges.empty()) writer.list("tokenizer.ggml.merges", GgufWriter::kString, merges);
  writer.integer("tokenizer.ggml.bos_token_id", 1).integer("tokenizer.ggml.unknown_token_id", 0);
  writer.pair("tokenizer.ggml.add_bos_token", GgufWriter::kBool, "\1");
  writer.text("tokenizer.chat_template", "{{ bos_token }}");
  return writer.file();
}

std::vector<std::string> samples() {
  const std::vector<std::string> bytes = {"<unk>",  "<s>",     "H",  "e", "l", "o",
                                          "\u0120", "\u0120H", "ll", "1", "!", "He"};
  return {tokenizer("llama", "default", {"<unk>", "<s>", "\u2581", "H", "e", "l", "\u2581He"}, {}),
          tokenizer("gpt2", "gpt-2", bytes, {"H e", "l l", "\u0120 H"}),
          tokenizer("gpt2", "qwen2", bytes, {"H e"}),
          tokenizer("gpt2", "llama-bpe", bytes, {"l l"})};
}

}  // namespace

FuzzTarget tokenizer_gguf_target() { return {"tokenizer_gguf", run, samples}; }

}  // namespace lingua::testing
