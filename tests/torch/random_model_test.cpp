#include "runtime/torch/random_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/torch/family.h"
#include "runtime/torch/import.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSmall = "bloom:hidden=64,layers=4,heads=4,vocabulary=256";

class RandomModel : public ::testing::Test {
 protected:
  RandomModel()
      : folder_(fs::path(::testing::TempDir()) /
                (std::string("random_model_") +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(folder_);
  }
  ~RandomModel() override { fs::remove_all(folder_); }

  fs::path make(const std::string& sub, std::uint64_t seed, DType dtype,
                const std::string& name = kSmall) const {
    write_random_model({name, seed, dtype, folder_ / sub}, [](double) {});
    return folder_ / sub;
  }

  static std::vector<float> read_float32(const fs::path& folder, const std::string& weight) {
    const Safetensors file(folder / "model.safetensors");
    std::vector<float> values(static_cast<std::size_t>(file.tensors().at(weight).bytes()) / 4);
    file.read(weight, 0, static_cast<std::int64_t>(values.size()) * 4,
              reinterpret_cast<std::byte*>(values.data()));
    return values;
  }

  fs::path folder_;
};

TEST_F(RandomModel, IsTheSameByteForByteForASeedAndAnotherForAnother) {
  const auto weights = [](const fs::path& folder) {
    return read_file(folder / "model.safetensors");
  };
  const std::string first = weights(make("a", 1, DType::kBFloat16));
  EXPECT_EQ(first, weights(make("b", 1, DType::kBFloat16)));
  EXPECT_NE(first, weights(make("c", 2, DType::kBFloat16)));
}

TEST_F(RandomModel, HasTheFamilysDeviationAndUnitLayerNorms) {
  const fs::path folder = make("a", 1, DType::kFloat32);
  for (float value : read_float32(folder, "h.2.input_layernorm.weight")) EXPECT_EQ(value, 1);
  double sum = 0;
  double squares = 0;
  const std::vector<float> values = read_float32(folder, "h.0.mlp.dense_h_to_4h.weight");
  for (float value : values) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const auto count = static_cast<double>(values.size());
  EXPECT_NEAR(sum / count, 0, 0.001);
  EXPECT_NEAR(std::sqrt(squares / count), 0.02, 0.001);
}

TEST_F(RandomModel, ReportsItsProgressUpToTheEnd) {
  double last = 0;
  write_random_model({kSmall, 1, DType::kBFloat16, folder_}, [&](double share) {
    EXPECT_GE(share, last);
    last = share;
  });
  EXPECT_DOUBLE_EQ(last, 1);
}

TEST_F(RandomModel, WritesAConfigurationThatReadsBack) {
  const fs::path folder =
      make("a", 1, DType::kFloat16, "bloom:hidden=24,layers=3,heads=6,vocabulary=100");
  nlohmann::json expected = *named_config("bloom:hidden=24,layers=3,heads=6,vocabulary=100");
  expected["torch_dtype"] = "float16";
  EXPECT_EQ(read_config(folder).values(), expected);
  EXPECT_EQ(read_family_model(read_config(folder)).hidden, 24);
}

TEST_F(RandomModel, MakesTokensThatVaryWithPositionAndPrompt) {
  const fs::path folder = make("a", 1, DType::kFloat32);
  std::set<std::vector<std::int64_t>> answers;
  for (const std::vector<std::int64_t>& prompt :
       {std::vector<std::int64_t>{5, 17, 3}, {5, 17, 4}, {200}}) {
    const std::vector<std::int64_t> tokens =
        generate_reference(folder.string(), {}, {prompt}, 16, 1, false)[0].tokens;
    EXPECT_GE(std::set(tokens.begin(), tokens.end()).size(), 6U);
    answers.insert(tokens);
  }
  EXPECT_EQ(answers.size(), 3U);
}

TEST_F(RandomModel, ComesInCustomSizesOfEveryFamilyAndMakesVariedTokens) {
  int number = 0;
  for (const std::string& example : custom_examples()) {
    const std::string folder = make(std::to_string(number++), 1, DType::kFloat32, example).string();
    std::set<std::vector<std::int64_t>> answers;
    for (const std::vector<std::int64_t>& prompt :
         {std::vector<std::int64_t>{5, 17, 3}, {5, 17, 4}, {200}}) {
      const std::vector<std::int64_t> tokens =
          generate_reference(folder, {}, {prompt}, 16, 1, false)[0].tokens;
      EXPECT_GE(std::set(tokens.begin(), tokens.end()).size(), 6U) << example;
      answers.insert(tokens);
    }
    EXPECT_EQ(answers.size(), 3U) << example;
  }
  EXPECT_EQ(number, 6);
}

TEST_F(RandomModel, IsNotWrittenOverAnother) {
  make("a", 1, DType::kBFloat16);
  EXPECT_THROW(make("a", 1, DType::kBFloat16), InputError);
}

TEST_F(RandomModel, IsRefusedWithANameOrSizeThatIsNone) {
  for (const char* name : {"bloom-9b", "gpt2", "bloom:", "bloom:hidden=64",
                           "bloom:hidden=64,layers=4,heads=4,vocabulary=x",
                           "bloom:hidden=64,layers=4,heads=4,vocabulary=256,depth=3",
                           "bloom:hidden=64,hidden=64,layers=4,heads=4,vocabulary=256",
                           "bloom:hidden=64,layers=4,heads=5,vocabulary=256",
                           "bloom:hidden=64,layers=0,heads=4,vocabulary=256",
                           "bloom:hidden=64,layers=99999999999999999999,heads=4,vocabulary=256",
                           "llama:hidden=64,layers=4,heads=4,kv_heads=3,vocabulary=256",
                           "qwen3:hidden=64,layers=4,heads=4,head_dim=7,vocabulary=256"}) {
    EXPECT_THROW(make("a", 1, DType::kBFloat16, name), UsageError) << name;
  }
  EXPECT_THROW(make("a", 1, DType::kInt8), UsageError);
  EXPECT_FALSE(fs::exists(folder_));
}

}  // namespace
}  // namespace lingua
