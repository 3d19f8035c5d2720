// What the configs on Hugging Face's hub and the GGUF files of llama.cpp say (vocab_size).

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "runtime/base/files.h"
#include "runtime/torch/family.h"

namespace lingua {
namespace {

using nlohmann::json;

TEST(KnownVocabulary, IsThatOfAPublishedOrCustomName) {
  EXPECT_EQ(known_vocabulary("bloom-560m"), 250880);
  EXPECT_EQ(known_vocabulary("tinyllama-1.1b"), 32000);
  EXPECT_EQ(known_vocabulary("llama-3.2-1b"), 128256);
  EXPECT_EQ(known_vocabulary("qwen3-0.6b"), 151936);
  EXPECT_EQ(known_vocabulary("gemma3-270m"), 262144);
  EXPECT_EQ(known_vocabulary("bloom:hidden=64,layers=4,heads=4,vocabulary=256"), 256);
}

TEST(KnownVocabulary, IsThatOfAFolderOrGgufFile) {
  const TemporaryFolder folder;
  for (const char* name : {"llama", "qwen3", "gemma3"}) {
    const json golden = json::parse(
        std::ifstream(LINGUA_CHECKPOINT_GOLDEN + std::string("/gguf_models/") + name + ".json"));
    const std::string hex = golden["gguf"];
    const std::string gguf = folder.file(std::string(name) + ".gguf");
    std::ofstream file(gguf, std::ios::binary);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
      file.put(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    file.close();
    const std::int64_t expected = golden["config"]["vocab_size"];
    EXPECT_EQ(known_vocabulary(gguf), expected) << name;
    const std::string made = folder.file(name);
    std::filesystem::create_directory(made);
    json config = golden["config"];
    config["model_type"] = golden["model_type"];
    config["architectures"] = golden["architectures"];
    std::ofstream(made + "/config.json") << config;
    EXPECT_EQ(known_vocabulary(made), expected) << name;
  }
}

TEST(KnownVocabulary, IsNothingForAnythingElse) {
  const TemporaryFolder folder;
  EXPECT_EQ(known_vocabulary(folder.path().string()), std::nullopt);
  EXPECT_EQ(known_vocabulary(folder.file("none.pt")), std::nullopt);
  EXPECT_EQ(known_vocabulary("bloom:hidden=wide"), std::nullopt);
  std::ofstream(folder.file("config.json")) << R"({"model_type": "parrot"})";
  EXPECT_EQ(known_vocabulary(folder.path().string()), std::nullopt);
  std::ofstream(folder.file("broken.gguf")) << "GGUF\3";
  EXPECT_EQ(known_vocabulary(folder.file("broken.gguf")), std::nullopt);
}

}  // namespace
}  // namespace lingua
