// Inputs from files and outputs to files, with TorchScript files by PyTorch 2.6 and what it computes:
// tests/torch/golden/make_torchscript.py.

#include <gmock/gmock.h>

#include <cmath>
#include <cstring>
#include <sstream>

#include "runtime/checkpoint/npy.h"
#include "runtime/checkpoint/safetensors.h"
#include "tests/cli/text_fixture.h"

namespace lingua::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::vector<std::byte> bytes_of(const json& tensor) {
  const std::string hex = tensor.at("data");
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

void expect_near(const std::vector<std::byte>& bytes, const json& tensor) {
  const std::vector<std::byte> expected = bytes_of(tensor);
  ASSERT_EQ(tensor.at("dtype"), "float32");
  ASSERT_EQ(bytes.size(), expected.size());
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(float)) {
    float value = 0;
    float wanted = 0;
    std::memcpy(&value, bytes.data() + i, sizeof value);
    std::memcpy(&wanted, expected.data() + i, sizeof wanted);
    EXPECT_NEAR(value, wanted, 2e-6) << "element " << i / sizeof(float);
  }
}

class TensorFiles : public LinguaTest {
 protected:
  // Writes the file of a case and its inputs; returns the options that give them.
  Arguments write(const std::string& name) {
    golden_ = cases_.at(name);
    model_ = folder_.file(name + ".pt");
    const auto archive = bytes_of({{"data", golden_.at("archive")}});
    std::ofstream(model_, std::ios::binary)
        .write(reinterpret_cast<const char*>(archive.data()),
               static_cast<std::streamsize>(archive.size()));
    Arguments options = {model_};
    for (std::size_t i = 0; i < golden_.at("inputs").size(); ++i) {
      const std::string text = golden_.at("input_texts").at(i);
      const std::string file = folder_.file(fmt_name(i));
      std::ofstream out(file, std::ios::binary);
      const json& tensor = golden_.at("inputs").at(i);
      const auto data = bytes_of(tensor);
      write_npy(out, parse_dtype(tensor.at("dtype")),
                tensor.at("shape").get<std::vector<std::int64_t>>(), data.data());
      options.push_back("--input-file");
      options.push_back(text.substr(0, text.find('=')) + "=" + file);
    }
    return options;
  }

  static std::string fmt_name(std::size_t i) { return "input" + std::to_string(i) + ".npy"; }

  Outcome run(const Arguments& verb, const Arguments& options) const {
    return lingua(verb + options);
  }

  const json cases_ = json::parse(
      std::ifstream(std::string(LINGUA_SOURCE) + "/tests/torch/golden/torchscript.json"))["cases"];
  json golden_;
  std::string model_;
};

const std::vector<Arguments> kWorlds = {{"reference"},
                                        {"emulate", "--cluster", kThreePhones, "--planner", "even"},
                                        {"run", "--local", "--workers", "2", "--planner", "even"}};

TEST_F(TensorFiles, EveryWorldGivesWhatPyTorchComputes) {
  const Arguments options = write("attention_bool_mask");
  for (const Arguments& world : kWorlds) {
    const std::string file = folder_.file(world[0] + ".npy");
    const Outcome outcome = run(world, options + Arguments{"--output-file", file});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const NpyArray output = read_npy(file);
    EXPECT_EQ(output.shape, golden_["outputs"][0]["shape"].get<std::vector<std::int64_t>>());
    expect_near(output.data, golden_["outputs"][0]);
  }
}

TEST_F(TensorFiles, SeveralOutputsGoIntoOneFile) {
  const Arguments options = write("dict_output");
  const std::string file = folder_.file("outputs.safetensors");
  for (const Arguments& world : kWorlds) {
    const Outcome outcome =
        run(world, options + Arguments{"--output-file", file, "--requests", "2"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const Safetensors written(file);
    ASSERT_EQ(written.tensors().size(), 4U);
    for (int request : {0, 1}) {
      for (std::size_t i : {0U, 1U}) {
        const std::string name =
            "request." + std::to_string(request) + ".output." + std::to_string(i);
        const WeightSpec& spec = written.tensors().at(name);
        std::vector<std::byte> data(static_cast<std::size_t>(spec.bytes()));
        written.read(name, 0, spec.bytes(), data.data());
        expect_near(data, golden_["outputs"][i]);
      }
    }
    std::filesystem::remove(file);
  }
}

TEST_F(TensorFiles, ALanguageModelPassesOnceForItsLogits) {
  const Arguments options = write("llama");
  const std::string file = folder_.file("logits.npy");
  for (const Arguments& world : kWorlds) {
    const Outcome outcome =
        run(world, options + Arguments{"--input", "ids=1xn:int64", "--output-file", file});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    expect_near(read_npy(file).data, golden_["outputs"][0]);
  }
  // Without a file for its outputs it generates, in the reference as elsewhere.
  json tokens;
  for (const Arguments& world : kWorlds) {
    const Outcome outcome =
        run(world, options + Arguments{"--input", "ids=1xn:int64", "--json", "--max-tokens", "4"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const json made = outcome.json()["requests"][0]["tokens"];
    EXPECT_EQ(made.size(), 4U);
    if (tokens.is_null()) tokens = made;
    EXPECT_EQ(made, tokens) << world[0];
  }
}

TEST_F(TensorFiles, RefusesWhatDoesNotFitInOneLine) {
  const Arguments options = write("attention");
  const auto refusal = [&](const Arguments& more, int code) {
    const Outcome outcome = run({"reference"}, more);
    EXPECT_EQ(outcome.exit_code, code) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(refusal(options + Arguments{"--input-file", "z=" + folder_.file(fmt_name(0))}, 3),
              HasSubstr("no argument z"));
  EXPECT_THAT(refusal(options + Arguments{"--input", "q=2x4x9x6:float32"}, 3),
              AllOf(HasSubstr("shape (2, 4, 3, 6)"), HasSubstr("takes (2, 4, 9, 6)")));
  EXPECT_THAT(refusal(options + Arguments{"--output-file", folder_.file("o.txt")}, 2),
              HasSubstr(".safetensors"));
  EXPECT_THAT(
      refusal(options + Arguments{"--output-file", folder_.file("o.npy"), "--requests", "2"}, 2),
      HasSubstr("FILE.safetensors"));
  const Arguments masked = write("attention_bool_mask");
  EXPECT_THAT(refusal(masked + Arguments{"--input", "mask=2x1x3x5:float32"}, 3),
              AllOf(HasSubstr("mask is bool here"), HasSubstr("float32")));
  EXPECT_THAT(refusal({model_, "--input-file", "q"}, 2), HasSubstr("NAME=FILE.npy"));
  EXPECT_THAT(refusal({model_, "--input-file", "q=" + model_}, 3), HasSubstr("numpy.save"));
  EXPECT_THAT(refusal({model_, "--input-file", "q=" + folder_.file("none.npy")}, 3),
              HasSubstr("none.npy"));
}

}  // namespace
}  // namespace lingua::testing
