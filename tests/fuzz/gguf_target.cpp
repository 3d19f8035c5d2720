#include "runtime/checkpoint/gguf_model.h"
#include "tests/fuzz/target.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/memory_file.h"

namespace lingua::testing {
namespace {

void read_all(const StoredWeights& weights, const std::string& name) {
  const std::int64_t bytes = weights.find(name)->bytes();
  std::vector<std::byte> out(static_cast<std::size_t>(bytes));
  weights.read(name, 0, bytes, out.data());
}

void run(const std::string& bytes) {
  static const MemoryFile content;
  content.write(bytes);
  const Gguf file(content.path());
  for (const std::string& name : file.names()) read_all(file, name);
  if (file.find_value("general.architecture") == nullptr) return;
  config_of(file);
  const auto weights = weights_of(file);
  for (const char* name : {"model.layers.0.self_attn.q_proj.weight", "model.norm.weight"}) {
    if (weights->find(name) != nullptr) read_all(*weights, name);
  }
}

std::string model(const std::string& architecture) {
  GgufWriter writer;
  writer.text("general.architecture", architecture);
  for (const char* key : {"block_count", "attention.head_count_kv"}) {
    writer.integer(architecture + "." + key, 1);
  }
  for (const char* key :
       {"context_length", "embedding_length", "feed_forward_length", "attention.sliding_window"}) {
    writer.integer(architecture + "." + key, 32);
  }
  writer.integer(architecture + ".attention.head_count", 2);
  writer.number(architecture + ".attention.layer_norm_rms_epsilon", 1e-6F);
  writer.number(architecture + ".rope.scaling.factor", 8);
  writer.integer("tokenizer.ggml.eos_token_id", 1);
  writer.tensor("token_embd.weight", 8, {32, 2}, std::string(68, '\x2c'));
  writer.tensor("output_norm.weight", 0, {32}, std::string(128, '\x3c'));
  writer.tensor("blk.0.attn_q.weight", 30, {32, 32}, std::string(2048, 'q'));
  return writer.file();
}

std::string every_format() {
  constexpr std::pair<std::uint32_t, std::size_t> kSmall[] = {{2, 18}, {3, 20}, {6, 22},
                                                              {7, 24}, {8, 34}, {20, 18}};
  constexpr std::pair<std::uint32_t, std::size_t> kLarge[] = {{12, 144}, {13, 176}, {14, 210}};
  GgufWriter writer;
  for (const auto& [type, bytes] : kSmall) {
    writer.tensor("small" + std::to_string(type), type, {32}, std::string(bytes, '\x2a'));
  }
  for (const auto& [type, bytes] : kLarge) {
    writer.tensor("large" + std::to_string(type), type, {256}, std::string(bytes, '\x2a'));
  }
  writer.floats("scalar", {}, {1}).tensor("half", 1, {1, 2}, "abcd");
  return writer.file();
}

std::string every_value() {
  GgufWriter writer;
  writer.integer("general.alignment", 32).pair("byte", GgufWriter::kInt8, "x");
  writer.pair("flag", GgufWriter::kBool, "\1")
      .pair("long", GgufWriter::kUint64, GgufWriter::raw<std::uint64_t>(7));
  writer.pair("double", GgufWriter::kFloat64, GgufWriter::raw(0.5));
  writer.list<std::string>("tokenizer.ggml.tokens", GgufWriter::kString, {"<s>", "\u2581a"});
  writer.list<float>("tokenizer.ggml.scores", GgufWriter::kFloat32, {0, -1});
  writer.list<std::int32_t>("tokenizer.ggml.token_type", GgufWriter::kInt32, {3, 1});
  writer.list<std::uint8_t>("flags", GgufWriter::kBool, {0, 1});
  writer.version = 2;
  return writer.file();
}

std::vector<std::string> samples() {
  return {model("llama"),  model("qwen2"), model("qwen3"),
          model("gemma3"), every_format(), every_value()};
}

}  // namespace

FuzzTarget gguf_target() { return {"gguf", run, samples}; }

}  // namespace lingua::testing
