#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "runtime/base/errors.h"
#include "runtime/torch/import.h"
#include "runtime/torch/random_model.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class Reference : public ::testing::Test {
 protected:
  Reference()
      : folder_(fs::path(::testing::TempDir()) /
                (std::string("reference_") +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(folder_);
    write_random_model(
        {"bloom:hidden=64,layers=3,heads=4,vocabulary=200", 5, DType::kFloat32, folder_},
        [](double) {});
  }
  ~Reference() override { fs::remove_all(folder_); }

  ReferenceResult generate(const ImportOptions& options,
                           const std::vector<std::int64_t>& prompt) const {
    return generate_reference(folder_.string(), options, {prompt}, 10, 1, true)[0];
  }

  std::string refusal(const std::vector<std::int64_t>& prompt) const {
    try {
      generate({}, prompt);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  fs::path folder_;
};

TEST_F(Reference, MakesTheSameTokensWithAndWithoutCacheAndForEitherHead) {
  const std::vector<std::int64_t> prompt = {7, 150, 3, 42};
  const ReferenceResult cached = generate({}, prompt);
  ASSERT_EQ(cached.tokens.size(), 10U);
  for (const Head head : {Head::kLast, Head::kAll}) {
    ImportOptions options;
    options.kv_cache = false;
    options.head = head;
    const ReferenceResult plain = generate(options, prompt);
    EXPECT_EQ(plain.tokens, cached.tokens);
    for (std::size_t step = 0; step < plain.logits.size(); ++step) {
      for (std::size_t i = 0; i < plain.logits[step].size(); ++i) {
        ASSERT_NEAR(plain.logits[step][i], cached.logits[step][i], 1e-4) << step << " " << i;
      }
    }
  }
}

TEST_F(Reference, ChoosesTheLargestLogitOfEveryStep) {
  const ReferenceResult result = generate({}, {1, 2, 3});
  ASSERT_EQ(result.logits.size(), result.tokens.size());
  for (std::size_t step = 0; step < result.tokens.size(); ++step) {
    const std::vector<float>& logits = result.logits[step];
    ASSERT_EQ(logits.size(), 200U);
    EXPECT_EQ(std::max_element(logits.begin(), logits.end()) - logits.begin(), result.tokens[step]);
  }
  EXPECT_GT(result.prefill_s, 0);
  EXPECT_GT(result.decode_s, 0);
}

TEST_F(Reference, RefusesAPromptThatTheModelCannotRead) {
  EXPECT_THAT(refusal({}), HasSubstr("at least one"));
  EXPECT_THAT(refusal({3, 200}), HasSubstr("token 200"));
  EXPECT_THAT(refusal({-1}), HasSubstr("token -1"));
}

TEST_F(Reference, RefusesAModelWithoutWeights) {
  fs::remove(folder_ / "model.safetensors");
  EXPECT_THAT(refusal({1}), HasSubstr("no weights"));
}

}  // namespace
}  // namespace lingua
