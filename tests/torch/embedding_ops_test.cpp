#include "runtime/torch/embedding_ops.h"

#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/library.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>

#include "runtime/torch/kernels/rows.h"
#include "tests/torch/refusal.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using OptionalTensor = c10::optional<at::Tensor>;

struct Rows {
  std::int64_t first = 0;
  std::int64_t vocabulary = 0;
};

at::Tensor embedding(const OptionalTensor& before, const at::Tensor& rows, const at::Tensor& tokens,
                     const Rows& which, at::ScalarType type) {
  register_embedding_ops();
  static const auto operation =
      c10::Dispatcher::singleton()
          .findSchemaOrThrow("lingua::embedding", "")
          .typed<at::Tensor(const OptionalTensor&, const at::Tensor&, const at::Tensor&,
                            std::int64_t, std::int64_t, std::int64_t)>();
  return operation.call(before, rows, tokens, which.first, which.vocabulary,
                        static_cast<std::int64_t>(type));
}

at::Tensor ids(std::initializer_list<std::int64_t> tokens) {
  return at::tensor(std::vector<std::int64_t>(tokens), at::kLong);
}

at::Tensor in_int8(const at::Tensor& matrix) {
  const at::Tensor rows = at::empty({matrix.size(0), matrix.size(1) + 4}, at::kChar);
  for (std::int64_t r = 0; r < matrix.size(0); ++r) {
    EXPECT_TRUE(quantise_row(matrix[r].data_ptr<float>(), matrix.size(1),
                             static_cast<std::byte*>(rows[r].data_ptr())));
  }
  return rows;
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
}

TEST(Embedding, OfInt8RowsIsTheScaleTimesTheirValues) {
  const at::Tensor matrix = at::randn({9, 20});
  const at::Tensor rows = in_int8(matrix);
  const at::Tensor tokens = ids({3, 0, 8, 3});
  const at::Tensor values = rows.narrow(1, 0, 20).to(at::kFloat);
  at::Tensor expected = values.index_select(0, tokens);
  for (std::int64_t i = 0; i < tokens.size(0); ++i) {
    float scale;
    const at::Tensor row = rows[tokens[i].item<std::int64_t>()];
    std::memcpy(&scale, static_cast<const std::byte*>(row.data_ptr()) + 20, sizeof scale);
    expected[i] *= scale;
  }
  EXPECT_TRUE(same_bits(embedding({}, rows, tokens, {0, 9}, at::kFloat), expected));
  EXPECT_TRUE(
      same_bits(embedding({}, rows, tokens, {0, 9}, at::kBFloat16), expected.to(at::kBFloat16)));
}

// Zeros of either sign, and what no byte holds, among them.
TEST(Embedding, OfATableInPiecesIsThatOfTheWholeBitForBit) {
  at::Tensor table = at::randn({11, 6});
  table[4].fill_(-0.0);
  table[5][2] = NAN;
  table[10][0] = INFINITY;
  const at::Tensor tokens = ids({10, 4, 0, 5, 5, 3, 7});
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor stored = table.to(type);
    const at::Tensor whole = at::embedding(stored, tokens);
    for (const std::int64_t pieces : {1, 2, 3, 11}) {
      OptionalTensor found;
      for (std::int64_t i = 0; i < pieces; ++i) {
        const std::int64_t first = 11 * i / pieces, end = 11 * (i + 1) / pieces;
        found = embedding(found, stored.narrow(0, first, end - first), tokens, {first, 11}, type);
      }
      EXPECT_TRUE(same_bits(*found, whole)) << pieces;
    }
  }
}

TEST(Embedding, OfTokensOutsideOfThePieceIsWhatWasThereBeforeOrZeros) {
  const at::Tensor rows = at::randn({3, 4});
  const at::Tensor tokens = ids({1, 4, 9});
  const at::Tensor alone = embedding({}, rows, tokens, {4, 10}, at::kFloat);
  EXPECT_TRUE(same_bits(alone[1], rows[0]));
  EXPECT_TRUE(same_bits(alone[0], at::zeros({4})));
  const at::Tensor before = at::randn({3, 4});
  const at::Tensor after = embedding(before, rows, tokens, {4, 10}, at::kFloat);
  EXPECT_TRUE(same_bits(after[0], before[0]));
  EXPECT_TRUE(same_bits(after[1], rows[0]));
  EXPECT_TRUE(same_bits(after[2], before[2]));
}

TEST(Embedding, RefusesTokensOutsideOfTheTableThoughNotOfThePiece) {
  const at::Tensor rows = at::randn({9, 20});
  for (const std::int64_t bad : {-1, 12}) {
    for (const at::Tensor& held : {rows, in_int8(rows)}) {
      EXPECT_THAT(refusal([&] {
                    embedding({}, held, ids({bad}), {2, 12}, at::kFloat);
                  }),
                  HasSubstr("is not one of 12"));
    }
  }
}

TEST(Embedding, RefusesWhatDoesNotFit) {
  const at::Tensor rows = at::randn({3, 4});
  const auto refused = [&](const OptionalTensor& before, const at::Tensor& held, const Rows& which,
                           at::ScalarType type) {
    return refusal([&] { embedding(before, held, ids({1}), which, type); });
  };
  EXPECT_THAT(refused({}, rows, {8, 10}, at::kFloat), HasSubstr("3 rows from 8 on among 10"));
  EXPECT_THAT(refused({}, rows, {-1, 10}, at::kFloat), HasSubstr("from -1"));
  EXPECT_THAT(refused({}, rows, {0, 3}, at::kBFloat16), HasSubstr("rows must be"));
  EXPECT_THAT(refused({}, rows, {0, 3}, at::kDouble), HasSubstr("dtype must be"));
  EXPECT_THAT(refused(at::zeros({2, 4}), rows, {0, 3}, at::kFloat), HasSubstr("before must be"));
}

TEST(Embedding, HasShapesOnTheMetaDevice) {
  const c10::InferenceMode no_autograd;
  const auto meta = at::TensorOptions().device(at::kMeta);
  const at::Tensor tokens = at::empty({5}, meta.dtype(at::kLong));
  const at::Tensor result =
      embedding({}, at::empty({6, 12}, meta.dtype(at::kChar)), tokens, {0, 20}, at::kBFloat16);
  EXPECT_TRUE(result.is_meta());
  EXPECT_EQ(result.sizes(), at::IntArrayRef({5, 8}));
  EXPECT_EQ(result.scalar_type(), at::kBFloat16);
}

}  // namespace
}  // namespace lingua
