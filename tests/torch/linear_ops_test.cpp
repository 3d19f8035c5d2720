#include "runtime/torch/linear_ops.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/ops/linear_native.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace lingua {
namespace {

RowMatrix matrix_of(const at::Tensor& weight, std::int64_t width) {
  RowType type = RowType::kFloat32;
  if (weight.scalar_type() == at::kBFloat16) type = RowType::kBFloat16;
  if (weight.scalar_type() == at::kChar) type = RowType::kInt8;
  return {static_cast<const std::byte*>(weight.data_ptr()),
          weight.stride(0) * static_cast<std::int64_t>(weight.element_size()), width, type};
}

at::Tensor random_matrix(at::ScalarType type, std::int64_t rows, std::int64_t width) {
  return type == at::kChar ? at::randint(-127, 128, {rows, width}, at::kChar)
                           : at::randn({rows, width}).to(type);
}

class LinearOps : public ::testing::Test {
 protected:
  LinearOps() { register_linear_ops(); }

  static double difference(const at::Tensor& a, const at::Tensor& b) {
    EXPECT_EQ(a.sizes(), b.sizes());
    EXPECT_EQ(a.scalar_type(), b.scalar_type());
    return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
  }
};

TEST_F(LinearOps, IsLibTorchsLinearWithinRounding) {
  for (const auto& [type, tolerance] : {std::pair{at::kFloat, 1e-5}, {at::kBFloat16, 0.016}}) {
    for (const std::int64_t n : {1, 2, 4, 5, 32, 33}) {
      const at::Tensor weight = (at::randn({300, 65}) / 8).to(type);
      const at::Tensor bias = at::randn({300}).to(type);
      const at::Tensor x = at::randn({n, 65}).to(type);
      EXPECT_LE(difference(at::linear(x, weight), at::native::linear(x, weight)), tolerance);
      EXPECT_LE(difference(at::linear(x, weight, bias), at::native::linear(x, weight, bias)),
                tolerance);
    }
  }
}

TEST_F(LinearOps, IsThatOfDoublePrecisionForManyRows) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const at::ScalarType stored : {type, at::kChar}) {
      for (const std::int64_t n : {16, 17, 40}) {
        constexpr std::int64_t kOut = 1500;
        constexpr std::int64_t kIn = 803;
        at::Tensor matrix = random_matrix(stored, kOut, kIn + (stored == at::kChar ? 4 : 1));
        at::Tensor w = matrix.narrow(1, 0, kIn).to(at::kDouble);
        if (stored == at::kChar) {
          const at::Tensor scales = at::rand({kOut}) + 0.5F;
          for (std::int64_t r = 0; r < kOut; ++r) {
            std::memcpy(matrix[r].data_ptr<std::int8_t>() + kIn, scales.data_ptr<float>() + r, 4);
          }
          w = w * scales.to(at::kDouble).unsqueeze(1);
        }
        const at::Tensor x = at::randn({n, kIn}).to(type);
        const at::Tensor bias = at::randn({kOut}).to(type);
        const at::Tensor result = row_linear(x, matrix_of(matrix, kIn), kOut, bias);
        const at::Tensor exact = at::matmul(x.to(at::kDouble), w.t()) + bias.to(at::kDouble);
        const at::Tensor size = at::matmul(x.to(at::kDouble).abs(), w.abs().t()) + 1;
        const at::Tensor rounding = type == at::kFloat ? at::zeros({1}) : exact.abs() / 256;
        EXPECT_EQ(result.scalar_type(), type);
        EXPECT_LE(
            ((result.to(at::kDouble) - exact).abs() - 1e-6 * size - rounding).max().item<double>(),
            0)
            << c10::toString(type) << " by " << c10::toString(stored) << ", " << n << " rows";
      }
    }
  }
}

TEST_F(LinearOps, BatchedProductsAreThoseOfDoublePrecision) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor a = at::randn({3, 33, 70}).to(type);
    const at::Tensor b = at::randn({3, 50, 70}).to(type).transpose(1, 2);
    const at::Tensor added = at::randn({1, 33, 50}).to(type);
    const double tolerance = type == at::kFloat ? 1e-4 : 0.15;  // of values up to 40
    const at::Tensor exact = at::matmul(a.to(at::kDouble), b.to(at::kDouble));
    EXPECT_LE(difference(at::bmm(a, b).to(at::kDouble), exact), tolerance);
    EXPECT_LE(difference(at::baddbmm(added, a, b, 1, 0.5).to(at::kDouble),
                         added.to(at::kDouble) + 0.5 * exact),
              tolerance);
    EXPECT_EQ(at::bmm(a, b).scalar_type(), type);
    const at::Tensor wanted = exact[0];
    EXPECT_LE(difference(at::mm(a[0], b[0]).to(at::kDouble), wanted), tolerance);
    EXPECT_LE(difference(at::addmm(added[0], a[0], b[0], 1, 0.5).to(at::kDouble),
                         added[0].to(at::kDouble) + 0.5 * wanted),
              tolerance);
    const at::Tensor column = b[0].select(1, 0);
    EXPECT_LE(difference(at::mv(a[0], column).to(at::kDouble), wanted.select(1, 0)), tolerance);
    EXPECT_LE(difference(at::addmv(added[0].select(1, 0), a[0], column).to(at::kDouble),
                         added[0].select(1, 0).to(at::kDouble) + wanted.select(1, 0)),
              tolerance);
    EXPECT_LE(difference(at::dot(a[0][0], column).to(at::kDouble), wanted[0][0]), tolerance);
  }
}

TEST_F(LinearOps, GivesARowTheSameBitsBesideOthersAndOnAnyNumberOfThreads) {
  const int threads = at::get_num_threads();
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor weight = at::randn({1201, 130}).to(type);
    const at::Tensor bias = at::randn({1201}).to(type);
    const at::Tensor x = at::randn({512, 130}).to(type);
    at::set_num_threads(1);
    const at::Tensor all = at::linear(x, weight, bias);
    for (const int more : {1, 2, 3}) {
      at::set_num_threads(more);
      for (const std::int64_t n : {1, 2, 8, 9, 33, 512}) {
        EXPECT_TRUE(
            at::equal(at::linear(x.narrow(0, 512 - n, n), weight, bias), all.narrow(0, 512 - n, n)))
            << c10::toString(type) << " " << n << " rows on " << more << " threads";
      }
    }
  }
  at::set_num_threads(threads);
}

TEST_F(LinearOps, TakesStridesAndMoreDimensions) {
  const at::Tensor wide = at::randn({40, 64});
  const at::Tensor weight = wide.narrow(1, 3, 20);                // rows further apart than long
  const at::Tensor x = at::randn({20, 2, 1}).permute({1, 2, 0});  // columns apart
  EXPECT_LE(difference(at::linear(x, weight), at::native::linear(x, weight)), 1e-4);
  const at::Tensor turned = at::randn({20, 40}).t();
  EXPECT_LE(difference(at::linear(x, turned), at::native::linear(x, turned)), 1e-4);
  EXPECT_EQ(at::linear(at::randn({20}), weight).sizes(), at::IntArrayRef({40}));
}

TEST_F(LinearOps, LeavesEverythingElseToLibTorch) {
  const at::Tensor weight = at::randn({3, 4}, at::kDouble);
  const at::Tensor x = at::randn({1, 4}, at::kDouble);
  EXPECT_TRUE(at::equal(at::linear(x, weight), at::native::linear(x, weight)));
  EXPECT_EQ(at::linear(at::randn({0, 4}), at::randn({3, 4})).sizes(), at::IntArrayRef({0, 3}));
  EXPECT_THROW(at::linear(at::randn({1, 5}), at::randn({3, 4})), c10::Error);
  EXPECT_THROW(at::linear(at::randn({1, 4}), at::randn({3, 4}).to(at::kBFloat16)), std::exception);
  EXPECT_THROW(at::linear(at::randn({1, 4}), at::randn({3, 4}), at::randn({2})), c10::Error);
}

}  // namespace
}  // namespace lingua
