// Rotary parameters wherever configs have them: the logits of transformers 4 and 5.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/base/errors.h"
#include "runtime/partition/partition.h"
#include "runtime/torch/family.h"
#include "runtime/torch/import.h"
#include "tests/torch/golden_model.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using testing::GoldenModel;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SplitModel;

constexpr double kTolerance = 1e-4;  // of the largest logit

json golden_file(const std::string& version) {
  std::ifstream file(std::string(LINGUA_ROTARY_GOLDEN) + "/transformers-" + version + ".json");
  return json::parse(file);
}

at::Tensor row_of(const json& numbers) { return at::tensor(numbers.get<std::vector<float>>()); }

// The logits after each of the golden's steps.
std::vector<at::Tensor> run(const std::string& folder, const json& golden) {
  ImportedModel model = import_model(folder, {});
  SplitModel split(model, cut_at(model.graph, {}));
  const std::vector<std::int64_t> tokens = golden.at("tokens");
  std::vector<at::Tensor> rows;
  std::int64_t cached = 0;
  for (const std::int64_t size : golden.at("steps")) {
    const auto begin = tokens.begin() + cached;
    const at::Tensor given = at::tensor(std::vector<std::int64_t>(begin, begin + size));
    const auto capacity = static_cast<std::int64_t>(tokens.size());
    rows.push_back(split.run({1, {size, cached}, capacity}, {given})[0][0].clone());
    cached += size;
  }
  return rows;
}

class RotaryOf : public ::testing::TestWithParam<const char*> {};

TEST_P(RotaryOf, TransformersIsReadAsItReadsIt) {
  const json golden = golden_file(GetParam());
  for (const json& expected : golden.at("cases")) {
    const std::string name = expected.at("name");
    SCOPED_TRACE(name);
    const json& tensors = golden.at("tensors").at(expected.at("tensors").get<std::string>());
    const std::string folder = GoldenModel(name, expected.at("config"), tensors).write();
    const std::vector<at::Tensor> rows = run(folder, golden);
    const json& logits = expected.at("logits");
    for (const auto& [row, numbers] : {std::pair(rows.front(), row_of(logits.at(0))),
                                       std::pair(rows.back(), row_of(logits.at(1)))}) {
      EXPECT_LE((row - numbers).abs().max().item<double>(),
                kTolerance * numbers.abs().max().item<double>());
    }
    std::filesystem::remove_all(folder);
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, RotaryOf, ::testing::Values("4", "5"));

FamilyModel read(const std::string& golden, const json& fields) {
  json config = GoldenModel(golden).config;
  for (const char* field : {"rope_theta", "rope_scaling", "rope_local_base_freq"}) {
    config.erase(field);
  }
  config.update(fields);
  return read_family_model({config, "config.json"});
}

std::string refusal(const std::string& golden, const json& fields) {
  return testing::message_of<InputError>([&] { read(golden, fields); });
}

const json kYarn = {{"rope_type", "yarn"}, {"factor", 4.0}};

json with(json object, const json& more) {
  object.update(more);
  return object;
}

TEST(RotaryParameters, AreRefusedWhereTheyAreNotOneMeaning) {
  const json linear = {{"rope_type", "linear"}, {"factor", 4.0}};
  const std::vector<std::tuple<const char*, json, const char*>> cases = {
      {"llama",
       {{"rope_scaling", {{"factor", 4.0}}}},
       "'rope_scaling.rope_type': is missing beside"},
      {"llama",
       {{"rope_parameters", {{"factor", 4.0}}}},
       "'rope_parameters.rope_type': is missing"},
      {"llama",
       {{"rope_scaling", with(linear, {{"type", "yarn"}})}},
       "\"yarn\" contradicts rope_type"},
      {"llama",
       {{"rope_theta", 5e5}, {"rope_scaling", with(linear, {{"rope_theta", 1e4}})}},
       "'rope_scaling.rope_theta': 10000 contradicts field 'rope_theta': 500000"},
      {"llama",
       {{"rope_scaling", {{"rope_type", "longrope"}}}},
       "\"longrope\" is not supported; it has"},
      {"llama", {{"rope_scaling", {{"type", "mrope"}}}}, "'rope_scaling.type': \"mrope\" is not"},
      {"llama", {{"partial_rotary_factor", 0.5}}, "'partial_rotary_factor': 0.5 is not supported"},
      {"llama", {{"rope_parameters", {{"full_attention", linear}}}}, "one set of them"},
      {"llama",
       {{"rope_scaling", with(kYarn, {{"factor", "4"}})}},
       "factor': \"4\" is not a number"},
      {"llama", {{"rope_scaling", with(kYarn, {{"truncate", 1}})}}, "1 is not true or false"},
      {"llama", {{"rope_scaling", with(kYarn, {{"beta_fast", -1}})}}, "beta_fast': -1 is not"},
      {"llama",
       {{"rope_scaling", with(kYarn, {{"rope_theta", 1.0}})}},
       "1.0 is not a number above 1"},
      {"llama",
       {{"original_max_position_embeddings", 32}, {"rope_scaling", kYarn}},
       "'original_max_position_embeddings': 32 is read by transformers 5 and not by 4"},
      {"gemma3", {{"rope_parameters", linear}}, "has neither 'full_attention' nor"},
      {"gemma3", {{"rope_scaling", {{"type", "linear"}, {"factor", 4.0}}}}, "no older 'type'"},
      {"gemma3",
       {{"rope_parameters", {{"full_attention", linear}, {"factor", 4.0}}}},
       "'rope_parameters.factor': is not supported beside"},
      {"gemma3",
       {{"rope_scaling", linear},
        {"rope_parameters", {{"full_attention", {{"rope_theta", 300.0}}}}}},
       "transformers 4 and 5 make different positions"},
  };
  for (const auto& [golden, fields, says] : cases) {
    EXPECT_THAT(refusal(golden, fields), HasSubstr(says)) << fields;
  }
}

TEST(RotaryParameters, ThatAreNotUsedAreNamed) {
  const json linear = {{"rope_type", "linear"}, {"factor", 4.0}};
  EXPECT_THAT(read("llama", {{"rope_scaling", with(linear, {{"beta", 2}, {"alpha", 1}})}}).notes,
              ElementsAre("config.json: field 'rope_scaling.rope_type': \"linear\" makes no use of "
                          "\"alpha\", \"beta\""));
  EXPECT_THAT(read("llama", {{"rope_scaling", linear}, {"rope_parameters", kYarn}}).notes,
              ElementsAre(HasSubstr("'rope_parameters': is not used")));
  EXPECT_THAT(
      read("llama", {{"rope_theta", 50.0}, {"rope_parameters", {{"rope_theta", 300.0}}}}).notes,
      ElementsAre(HasSubstr("'rope_theta': 50 is not used")));
  EXPECT_THAT(read("llama", {{"rope_scaling", with(linear, {{"rope_theta", 300.0}})}}).notes,
              ElementsAre(HasSubstr("300 is used, as by transformers 5")));
  EXPECT_THAT(read("llama", {{"rope_theta", 50.0}, {"rope_scaling", linear}}).notes, IsEmpty());
  EXPECT_THAT(read("llama", {{"rope_scaling", linear}, {"rope_parameters", linear}}).notes,
              IsEmpty());
}

TEST(RotaryParameters, LengthenWhatAModelTakes) {
  EXPECT_EQ(read("llama", json::object()).max_positions, 64);
  EXPECT_EQ(read("llama", {{"rope_scaling", kYarn}}).max_positions, 256);
  EXPECT_EQ(
      read("llama", {{"rope_scaling", {{"rope_type", "dynamic"}, {"factor", 2.0}}}}).max_positions,
      128);
  EXPECT_EQ(
      read("llama", {{"rope_scaling", {{"rope_type", "linear"}, {"factor", 2.0}}}}).max_positions,
      64);
}

}  // namespace
}  // namespace lingua
