// Norms that are computed again on the other side of a cut: the bits of those that are sent, by every family.
#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/partition/partition.h"
#include "runtime/torch/import.h"
#include "tests/torch/golden_model.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using testing::GoldenModel;
using testing::GoldenPrompt;
using testing::SplitModel;

class RecomputedNorms : public ::testing::TestWithParam<std::tuple<const char*, DType>> {
 protected:
  RecomputedNorms() : golden_(std::get<0>(GetParam())), folder_(golden_.write()) {
    ImportOptions options;
    options.dtype = std::get<1>(GetParam());
    options.head = Head::kAll;
    model_ = import_model(folder_, options);
  }
  ~RecomputedNorms() override { std::filesystem::remove_all(folder_); }

  // Norms are the residual stream, so there is no other one.
  bool has_one_stream() const {
    return golden_.config.value("apply_residual_connection_post_layernorm", false);
  }

  const GoldenModel golden_;
  const std::string folder_;
  ImportedModel model_;
};

double bytes_into(const Segment& segment) {
  double bytes = 0;
  for (const TensorSpec& input : segment.inputs) bytes += input.bytes.at({1, 5});
  return bytes;
}

TEST_P(RecomputedNorms, GiveTheSameBitsWhereverTheModelIsCut) {
  std::vector<NodeId> after;
  int fewer = 0;
  const std::vector<Cut> cuts = all_cuts(model_.graph);
  const std::vector<Cut> with_norms = all_cuts(model_.graph, {.norms = true});
  for (std::size_t c = 0; c < cuts.size(); ++c) {
    if (!cuts[c].allowed) continue;
    after.push_back(cuts[c].after);
    fewer += cuts[c].live_values - with_norms[c].live_values;
  }
  EXPECT_EQ(fewer > 0, !has_one_stream());
  SplitModel sent(model_, cut_at(model_.graph, after));
  SplitModel again(model_, cut_at(model_.graph, after, {.norms = true}));
  RequestId request = 0;
  for (const GoldenPrompt& prompt : golden_.prompts) {
    ++request;
    const auto count = static_cast<std::int64_t>(prompt.tokens.size());
    const std::int64_t prefix = count / 2;
    for (const auto& [begin, end] : {std::pair{std::int64_t{0}, prefix}, {prefix, count}}) {
      if (begin == end) continue;
      const at::Tensor tokens = at::tensor(
          std::vector<std::int64_t>(prompt.tokens.begin() + begin, prompt.tokens.begin() + end));
      const StepContext step{request, {end - begin, begin}, count};
      EXPECT_TRUE(at::equal(again.run(step, {tokens})[0], sent.run(step, {tokens})[0]));
    }
  }
}

TEST_P(RecomputedNorms, LeaveHalfOfTheBytesBetweenAttentionAndMlp) {
  if (has_one_stream()) GTEST_SKIP() << "there is nothing to save";
  const auto sent = partition(model_.graph, {.rule = "lingualinked"}).segments;
  const auto again =
      partition(model_.graph, {.rule = "lingualinked", .recompute_norms = true}).segments;
  ASSERT_EQ(again.size(), sent.size());
  EXPECT_EQ(sent[2].inputs.size(), 2U);
  ASSERT_EQ(again[2].inputs.size(), 1U);
  EXPECT_EQ(2 * bytes_into(again[2]), bytes_into(sent[2]));
  EXPECT_FALSE(again[2].recomputed.empty());
}

INSTANTIATE_TEST_SUITE_P(Golden, RecomputedNorms,
                         ::testing::Combine(::testing::Values("bloom", "bloom-residual", "llama",
                                                              "mistral", "qwen2", "qwen3",
                                                              "gemma3"),
                                            ::testing::Values(DType::kFloat32, DType::kBFloat16)));

}  // namespace
}  // namespace lingua
