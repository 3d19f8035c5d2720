// Which numbers integer inputs may be: what LibTorch itself takes says whether that is right.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using testing::define;
using ::testing::HasSubstr;

constexpr std::int64_t kRows = 7;
constexpr std::int64_t kColumns = 3;

class InputRanges : public ::testing::Test {
 protected:
  std::map<std::string, IndexRange> ranges(const std::string& body,
                                           const std::vector<std::string>& inputs) {
    std::string names;
    for (const std::string& input : inputs) names += ", " + input.substr(0, input.find('='));
    define("def forward(self" + names + "):\n" + body,
           {{"t", at::randn({kRows, kColumns})}, {"small", at::randn({5, kColumns})}})
        .save(file_);
    options_.inputs = inputs;
    return import_model(file_, options_).index_inputs;
  }

  // What plain LibTorch says when each of the inputs has all its elements at these numbers, for `n` tokens.
  std::string failure(const std::vector<at::Tensor>& inputs, std::int64_t n = 1) const {
    std::vector<Tensor> ours;
    for (const at::Tensor& input : inputs) ours.push_back(from_torch(input));
    return testing::message_of<Error>([&] { run_reference(file_, options_, {ours}, {n}, 1); });
  }

  TemporaryFolder folder_;
  std::string file_ = folder_.file("model.pt");
  ImportOptions options_;
};

TEST_F(InputRanges, EndWhereTheTableThatIsLookedUpDoes) {
  const std::vector<std::pair<std::string, std::int64_t>> lookups = {
      {"torch.embedding(self.t, i)", kRows},
      {"torch.index_select(self.t, 0, i[0])", kRows},
      {"torch.index_select(self.t, 1, i[0])", kColumns},
      {"torch.index_select(self.t, -1, i[0])", kColumns},
      {"torch.gather(self.t, 0, i)", kRows},
      {"torch.gather(self.t, 1, i)", kColumns},
      {"torch.take(self.t, i)", kRows * kColumns},
      {"self.t[i]", kRows},
      {"self.t[:, i]", kColumns},
      {"self.t[1, i]", kColumns},
      {"self.t.unsqueeze(0)[:, :, i]", kColumns},
      {"torch.scatter(self.t, 0, i, self.small)", kRows},
      {"torch.index_add(self.small, 0, i[0], self.t[:2])", 5},
      {"torch.embedding(self.t, i) + torch.embedding(self.small, i)", 5},
      {"torch.embedding(self.small, i.view([-1]).unsqueeze(0).to(torch.relu(i).dtype))", 5}};
  for (const auto& [lookup, end] : lookups) {
    SCOPED_TRACE(lookup);
    const auto found = ranges("  return " + lookup + "\n", {"i=2x2:int64"});
    ASSERT_EQ(found.count("i"), 1U);
    EXPECT_EQ(found.at("i").end, end);
    EXPECT_EQ(found.at("i").why_not, "");
    EXPECT_EQ(failure({at::full({2, 2}, end - 1, at::kLong)}), "");
    EXPECT_NE(failure({at::full({2, 2}, end, at::kLong)}), "");
  }
}

TEST_F(InputRanges, AreForEachOfSeveralIndices) {
  const auto found =
      ranges("  return self.t[rows, columns]\n", {"rows=4:int64", "columns=4:int64"});
  EXPECT_EQ(found.at("rows").end, kRows);
  EXPECT_EQ(found.at("columns").end, kColumns);
}

TEST_F(InputRanges, HoldForEveryLengthOfATableThatGrowsWithTheTokens) {
  const auto found =
      ranges("  return torch.index_select(x, 0, i)\n", {"x=nx3:float32", "i=n:int64"});
  EXPECT_EQ(found.at("i").end, 1);
  EXPECT_EQ(failure({at::zeros({1, 3}), at::full({1}, 0, at::kLong)}), "");
  EXPECT_NE(failure({at::zeros({1, 3}), at::full({1}, 1, at::kLong)}), "");
}

TEST_F(InputRanges, AreNotKnownWhereNothingIsLookedUp) {
  EXPECT_EQ(ranges("  return torch.mul(self.t[0], i)\n", {"i=3:int64"}).count("i"), 0U);
  EXPECT_EQ(ranges("  return torch.relu(i)\n", {"i=3:float32"}).count("i"), 0U);
}

TEST_F(InputRanges, SayWhatRandomNumbersLack) {
  const auto found = ranges("  return torch.embedding_bag(self.t, i, offsets)[0]\n",
                            {"i=4:int64", "offsets=2:int64"});
  EXPECT_EQ(found.at("i").end, kRows);
  EXPECT_EQ(found.at("i").why_not, "");
  EXPECT_THAT(found.at("offsets").why_not,
              AllOf(HasSubstr("aten::embedding_bag"), HasSubstr("offsets")));
}

}  // namespace
}  // namespace lingua
