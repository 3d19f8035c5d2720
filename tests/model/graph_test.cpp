#include "runtime/model/graph.h"

#include <gmock/gmock.h>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "tests/support/synthetic_graph.h"

namespace lingua {
namespace {

using testing::GraphBuilder;
using testing::kNew;
using testing::kTotal;

TEST(DType, HasTheNamesAndBytesOfTheField) {
  EXPECT_EQ(parse_dtype("fp32"), DType::kFloat32);
  EXPECT_EQ(parse_dtype("bf16"), DType::kBFloat16);
  EXPECT_EQ(parse_dtype("fp16"), DType::kFloat16);
  EXPECT_EQ(parse_dtype("int8"), DType::kInt8);
  for (DType dtype :
       {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16, DType::kInt64,
        DType::kInt32, DType::kInt16, DType::kInt8, DType::kUInt8, DType::kBool}) {
    EXPECT_EQ(parse_dtype(dtype_name(dtype)), dtype);
  }
  EXPECT_EQ(dtype_bytes(DType::kFloat64), 8);
  EXPECT_EQ(dtype_bytes(DType::kFloat32), 4);
  EXPECT_EQ(dtype_bytes(DType::kBFloat16), 2);
  EXPECT_EQ(dtype_bytes(DType::kBool), 1);
}

TEST(DType, UnknownIsRefusedWithTheNamesThatExist) {
  try {
    parse_dtype("int4");
    FAIL() << "int4 was accepted";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'int4'"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("bfloat16"));
  }
}

TEST(Product, MultipliesDimensions) {
  EXPECT_EQ(product({}), StepFunction(1.0));
  EXPECT_EQ(product({3.0, 4.0}), StepFunction(12.0));
  EXPECT_EQ(product({kNew, 4.0, 2.0}), kNew * 8);
  EXPECT_EQ(product({4.0, kNew, kTotal}), StepFunction({0, 0, 0, 4, 4, 0}));
}

TEST(Product, AgreesWithMultiplyingNumbers) {
  Rng rng(1);
  for (int round = 0; round < 100; ++round) {
    std::vector<StepFunction> dims;
    int linear = 0;
    for (int i = 0; i < 4; ++i) {
      const bool constant = linear == 2 || rng.uniform() < 0.5;
      std::array<double, 6> c{static_cast<double>(rng.below(5))};
      if (!constant)
        c[1] = static_cast<double>(1 + rng.below(3)), c[2] = static_cast<double>(rng.below(3));
      linear += !constant;
      dims.emplace_back(c);
    }
    for (const Step& step : {Step{1, 0}, Step{3, 7}, Step{11, 2}}) {
      double expected = 1;
      for (const StepFunction& dim : dims) expected *= dim.at(step);
      EXPECT_EQ(product(dims).at(step), expected);
    }
  }
}

TEST(Product, OfADegreeOverTwoIsABug) { EXPECT_THROW(product({kNew, kNew, kTotal}), BugError); }

TEST(Value, CountsBytes) {
  Value value;
  value.dtype = DType::kBFloat16;
  value.dims = {kNew, 8.0};
  EXPECT_EQ(value.bytes(), kNew * 16.0);
  value.is_tensor = false;
  EXPECT_EQ(value.bytes(), StepFunction(8.0));
}

TEST(Graph, CostsWhatThePublishedCountSaysOfBloom) {
  const Graph graph = testing::synthetic_bloom(
      {.layers = 24, .hidden = 1024, .heads = 16, .vocabulary = 250880, .kv_cache = false});
  // L (24 h^2 T + 4 h T^2) + 2 h V: matrix products alone; the rest is below 1%.
  const double expected = 24 * (24.0 * 1024 * 1024 * 11 + 4.0 * 1024 * 121) + 2.0 * 1024 * 250880;
  EXPECT_NEAR(graph.flops().at({11, 0}), expected, 0.01 * expected);
  EXPECT_NEAR(graph.weights_bytes(), 559e6 * 4, 0.01 * 559e6 * 4);
}

TEST(CheckGraph, AcceptsWhatTheBuilderMakes) {
  EXPECT_NO_THROW(check_graph(testing::synthetic_bloom()));
}

Graph small_graph() {
  GraphBuilder g("g");
  const ValueId x = g.input("x", {kNew}, DType::kFloat32);
  const ValueId a = g.node("aten::relu", {x}, {kNew});
  return g.finish({g.node("aten::add", {a, x}, {kNew})});
}

TEST(CheckGraph, FindsEveryBrokenPromise) {
  const auto broken = [](const std::function<void(Graph&)>& change) {
    Graph graph = small_graph();
    change(graph);
    EXPECT_THROW(check_graph(graph), BugError);
  };
  broken([](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); });  // order
  broken([](Graph& g) { g.nodes[0].inputs[0] = 99; });          // range
  broken([](Graph& g) { g.nodes[0].inputs[0] = -1; });          // range
  broken([](Graph& g) { g.values[0].users.clear(); });          // users
  broken([](Graph& g) { g.values[1].producer = 1; });           // producer
  broken([](Graph& g) { g.outputs = {99}; });                   // outputs
  broken([](Graph& g) { g.inputs = {1}; });                     // an activation
  broken([](Graph& g) { g.nodes[1].outputs = {1}; });           // made twice
}

}  // namespace
}  // namespace lingua
