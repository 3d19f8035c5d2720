#pragma once
// `lingua` with small models that have a tokenizer, and what Hugging Face's libraries say of them: see
// tests/golden/classification and tests/golden/generation.

#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/cli/lingua_fixture.h"
#include "tests/torch/golden_model.h"

namespace lingua::testing {

using Arguments = std::vector<std::string>;

inline const Arguments kReference = {"reference"};
// The rule by bytes finds only two segments in models so small.
inline const Arguments kEvenly = {"--planner", "even", "--rule", "lingualinked"};
inline const Arguments kEmulated = Arguments{"emulate", "--cluster", kThreePhones} + kEvenly;
inline Arguments local_workers(const std::string& count) {
  return Arguments{"--local", "--workers", count} + kEvenly;
}
inline Arguments run_on(const std::string& workers) {
  return Arguments{"run"} + local_workers(workers);
}

// One thread: sums in one order. The models are stored in float32 and computed so.
inline const Arguments kExactly = {"--threads", "1", "--json"};

inline nlohmann::json json_of(const Arguments& arguments) {
  const Outcome outcome = lingua(arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  return outcome.exit_code == 0 ? outcome.json() : nlohmann::json();
}

struct TextModel {
  nlohmann::json golden;  // tests/golden/NAME.json
  std::string folder;     // config.json, model.safetensors, tokenizer.json
};

class TextTest : public LinguaTest {
 protected:
  // Processes that a program leaves behind become this one's children.
  TextTest() { EXPECT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0); }

  void TearDown() override { EXPECT_TRUE(no_process_left()); }

  // REQUIRES: every program that the test started has ended.
  static bool no_process_left() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!children_of(::getpid()).empty()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return true;
  }

  TextModel text_model(const std::string& name) const {
    namespace fs = std::filesystem;
    const std::string written = GoldenModel(name).write();
    TextModel model;
    model.folder = folder_.file(fs::path(name).parent_path().string() + "-" +
                                fs::path(name).filename().string());
    fs::copy(written, model.folder,
             fs::copy_options::recursive | fs::copy_options::overwrite_existing);
    fs::remove_all(written);
    std::ifstream file(std::string(LINGUA_FAMILIES_GOLDEN) + "/" + name + ".json");
    model.golden = nlohmann::json::parse(file);
    put_tokenizer(model.golden.at("tokenizer"), model.folder);
    return model;
  }

  static void put_tokenizer(const std::string& name, const std::string& folder) {
    std::filesystem::copy_file(std::string(LINGUA_SOURCE) + "/tests/text/golden/" + name,
                               folder + "/tokenizer.json",
                               std::filesystem::copy_options::overwrite_existing);
  }

  static void change_config(const std::string& folder, const nlohmann::json& fields) {
    const std::string path = folder + "/config.json";
    nlohmann::json config = nlohmann::json::parse(std::ifstream(path));
    config.update(fields);
    std::ofstream(path) << config;
  }
};

}  // namespace lingua::testing
