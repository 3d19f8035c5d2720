#include "runtime/app/int8_choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

using Segments = std::set<SegmentId>;

// Segments with one matrix each, named, of so many rows of 100; a name that stands twice is shared.
struct Matrix {
  std::string name;
  std::int64_t rows = 0;
};
Segmentation segments_of(const std::vector<Matrix>& matrices, bool int8) {
  Segmentation segmentation;
  for (const Matrix& matrix : matrices) {
    Segment segment;
    segment.id = static_cast<SegmentId>(segmentation.segments.size());
    if (matrix.rows > 0) {
      segment.weights = {int8 ? WeightSpec{matrix.name + ":int8", DType::kInt8, {matrix.rows, 104}}
                              : WeightSpec{matrix.name, DType::kFloat32, {matrix.rows, 100}}};
    }
    segmentation.segments.push_back(segment);
  }
  return segmentation;
}
std::vector<Segments> groups_of(const std::vector<Matrix>& matrices) {
  return int8_groups(segments_of(matrices, false), segments_of(matrices, true));
}

TEST(Int8Choice, KnowsItsForms) {
  EXPECT_EQ(int8_kind("none"), Int8Kind::kNone);
  EXPECT_EQ(int8_kind("all"), Int8Kind::kAll);
  EXPECT_EQ(int8_kind("fit"), Int8Kind::kFit);
  EXPECT_EQ(int8_kind("0-3,7"), Int8Kind::kListed);
  for (const char* wrong : {"", "some", "all,1", "1;2"}) {
    EXPECT_THROW(int8_kind(wrong), UsageError) << wrong;
  }
}

TEST(Int8Choice, ReadsAListOfSegments) {
  EXPECT_EQ(listed_segments("0-3,7", 8), (Segments{0, 1, 2, 3, 7}));
  EXPECT_EQ(listed_segments("5,5-5", 8), Segments{5});
  for (const char* wrong : {"8", "0-8", "3-1", "1,", ",1", "-1", "1--2", "99999999999999999999"}) {
    EXPECT_THROW(listed_segments(wrong, 8), UsageError) << wrong;
  }
}

TEST(Int8Choice, WritesTheListThatItReads) {
  EXPECT_EQ(segment_ranges({0, 1, 2, 3, 7}), "0-3, 7");
  EXPECT_EQ(segment_ranges({4}), "4");
  EXPECT_EQ(segment_ranges({}), "");
}

TEST(Int8Choice, GroupsSegmentsThatShareAMatrixAndPutsLargeSavingsFirst) {
  EXPECT_THAT(
      groups_of({{"embedding", 500}, {"a", 300}, {"norm", 0}, {"b", 700}, {"embedding", 500}}),
      ::testing::ElementsAre(Segments{0, 4}, Segments{3}, Segments{1}));
}

TEST(Int8Choice, TakesNoSegmentThatIsNotNeeded) {
  const std::vector<Segments> groups = groups_of({{"a", 400}, {"b", 300}, {"c", 200}, {"d", 100}});
  for (std::size_t needed = 0; needed <= groups.size(); ++needed) {
    Segments last;
    const Segments chosen = fewest_that_fit(groups, [&](const Segments& tried) {
      last = tried;
      if (tried.size() < needed) throw InfeasibleError("too large");
    });
    EXPECT_EQ(chosen.size(), needed);
    EXPECT_EQ(last, chosen) << "the plan of the last call is kept";
  }
}

TEST(Int8Choice, SaysWhyWhenNotEvenAllSegmentsFit) {
  const std::vector<Segments> groups = groups_of({{"a", 400}, {"b", 300}});
  EXPECT_THROW(fewest_that_fit(groups, [](const Segments&) { throw InfeasibleError("too large"); }),
               InfeasibleError);
}

}  // namespace
}  // namespace lingua
