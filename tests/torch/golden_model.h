#pragma once
// A model of tests/golden/families as a folder on disk, its weights drawn as the README there says.

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/checkpoint/safetensors.h"

namespace lingua::testing {

inline std::vector<float> drawn_values(const std::string& name, std::int64_t count, float base,
                                       float scale) {
  std::uint64_t seed = 14695981039346656037U;
  for (const char byte : name) {
    seed = (seed ^ static_cast<unsigned char>(byte)) * 1099511628211U;
  }
  std::vector<float> values;
  for (std::int64_t i = 1; i <= count; ++i) {
    std::uint64_t z = seed + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15U;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
    z = z ^ (z >> 31);
    const auto unit =
        static_cast<float>(static_cast<std::int64_t>(z >> 40) - (1 << 23)) / (1 << 23);
    values.push_back(base + scale * unit);
  }
  return values;
}

struct GoldenTensor {
  std::string drawn_as;  // the name that its values come from
  WeightSpec spec;
  float base = 0;
  float scale = 0;
};

struct GoldenPrompt {
  std::vector<std::int64_t> tokens;
  std::vector<std::vector<float>> logits;
  std::string label;
  std::vector<double> scores;  // of the labels
};

class GoldenModel {
 public:
  explicit GoldenModel(const std::string& name) : name_(name) {
    std::ifstream file(std::string(LINGUA_FAMILIES_GOLDEN) + "/" + name + ".json");
    const nlohmann::json golden = nlohmann::json::parse(file);
    config = golden.at("config");
    add_tensors(golden.at("tensors"));
    for (const auto& row : golden.at("prompts")) {
      prompts.push_back({row.at("tokens"), row.at("logits"), row.value("label", ""),
                         row.value("scores", std::vector<double>())});
    }
  }

  // Without prompts.
  GoldenModel(const std::string& name, const nlohmann::json& config, const nlohmann::json& rows)
      : config(config), name_(name) {
    add_tensors(rows);
  }

  // Writes the folder anew, in `shards` files, and gives its path.
  std::string write(int shards = 1) const {
    namespace fs = std::filesystem;
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string folder = std::string("families_") + test->test_suite_name() + test->name() + name_;
    for (char& c : folder) c = c == '/' ? '_' : c;
    const fs::path path = fs::path(::testing::TempDir()) / folder;
    fs::remove_all(path);
    fs::create_directories(path);
    std::ofstream(path / "config.json") << config;
    nlohmann::json index;
    for (int shard = 0; shard < shards; ++shard) {
      const std::string file =
          shards == 1 ? "model.safetensors" : "model-" + std::to_string(shard) + ".safetensors";
      std::vector<WeightSpec> specs;
      for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (static_cast<int>(i) % shards != shard) continue;
        specs.push_back(tensors[i].spec);
        index["weight_map"][tensors[i].spec.name] = file;
      }
      write_safetensors(path / file, specs, [&](const WeightSpec& spec, const AppendBytes& append) {
        for (const GoldenTensor& tensor : tensors) {
          if (tensor.spec.name != spec.name) continue;
          const std::vector<float> values =
              drawn_values(tensor.drawn_as, spec.bytes() / 4, tensor.base, tensor.scale);
          append(reinterpret_cast<const std::byte*>(values.data()), spec.bytes());
        }
      });
    }
    if (shards > 1) std::ofstream(path / "model.safetensors.index.json") << index;
    return path.string();
  }

  nlohmann::json config;
  std::vector<GoldenTensor> tensors;
  std::vector<GoldenPrompt> prompts;

 private:
  void add_tensors(const nlohmann::json& rows) {
    for (const auto& row : rows) {
      tensors.push_back({row.at("name"),
                         {row.at("name"), DType::kFloat32, row.at("shape")},
                         row.at("base"),
                         row.at("scale")});
    }
  }

  std::string name_;
};

}  // namespace lingua::testing
