#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/library.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <set>
#include <string>

#include "runtime/base/errors.h"
#include "runtime/partition/partition.h"
#include "runtime/torch/import.h"
#include "runtime/torch/int8_ops.h"
#include "runtime/torch/kernels/rows.h"
#include "runtime/torch/quantise.h"
#include "runtime/torch/random_model.h"
#include "runtime/torch/script_model.h"
#include "tests/torch/refusal.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::SplitModel;

at::Tensor quantised(const at::Tensor& matrix) {
  const at::Tensor rows = at::empty({matrix.size(0), matrix.size(1) + 4}, at::kChar);
  for (std::int64_t r = 0; r < matrix.size(0); ++r) {
    EXPECT_TRUE(quantise_row(matrix[r].data_ptr<float>(), matrix.size(1),
                             static_cast<std::byte*>(rows[r].data_ptr())));
  }
  return rows;
}

float scale_of(const at::Tensor& row) {
  float scale;
  std::memcpy(&scale, static_cast<const std::int8_t*>(row.data_ptr()) + row.size(0) - 4, 4);
  return scale;
}

at::Tensor restored(const at::Tensor& rows) {
  std::vector<at::Tensor> all;
  for (std::int64_t r = 0; r < rows.size(0); ++r) {
    all.push_back(rows[r].narrow(0, 0, rows.size(1) - 4).to(at::kFloat) * scale_of(rows[r]));
  }
  return at::stack(all);
}

at::Tensor linear_int8(const at::Tensor& x, const at::Tensor& rows,
                       const c10::optional<at::Tensor>& bias = c10::nullopt) {
  register_int8_ops();
  static const auto operation = c10::Dispatcher::singleton()
                                    .findSchemaOrThrow("lingua::linear_int8", "")
                                    .typed<at::Tensor(const at::Tensor&, const at::Tensor&,
                                                      const c10::optional<at::Tensor>&)>();
  return operation.call(x, rows, bias);
}

TEST(Quantise, KeepsRowsOfMultiplesOfAScaleExactly) {
  const at::Tensor matrix = at::randint(-127, 128, {20, 37}).to(at::kFloat);
  for (std::int64_t r = 0; r < 20; ++r) {
    matrix[r][r] = r % 2 == 0 ? 127 : -127;
    matrix[r] *= std::ldexp(3.0F, static_cast<int>(r) - 10);
  }
  EXPECT_TRUE(at::equal(restored(quantised(matrix)), matrix));
}

TEST(Quantise, IsWrongByHalfAScaleAtMost) {
  const at::Tensor matrix = at::randn({50, 333}) * 0.02;
  const at::Tensor rows = quantised(matrix);
  const at::Tensor error = (restored(rows) - matrix).abs();
  for (std::int64_t r = 0; r < 50; ++r) {
    EXPECT_FLOAT_EQ(scale_of(rows[r]), matrix[r].abs().max().item<float>() / 127);
    EXPECT_LE(error[r].max().item<float>(), 0.5F * scale_of(rows[r]) * (1 + 1e-5F)) << r;
  }
}

TEST(Quantise, KeepsRowsOfZerosAndOfTheSmallestNumbers) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const at::Tensor matrix = at::zeros({2, 8});
  matrix[1].fill_(200 * tiny);
  const at::Tensor rows = quantised(matrix);
  EXPECT_EQ(scale_of(rows[0]), 0);
  EXPECT_TRUE(at::equal(restored(rows)[0], matrix[0]));
  EXPECT_LE((restored(rows)[1] - matrix[1]).abs().max().item<float>(), 100 * tiny);
}

TEST(Quantise, RefusesWhatIsNotFinite) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    const std::vector<float> row = {1, 2, bad, 3};
    std::vector<std::byte> out(8);
    EXPECT_FALSE(quantise_row(row.data(), 4, out.data())) << bad;
  }
}

// Sums in float32, results rounded to the dtype of x once, or twice where the product is LibTorch's.
TEST(LinearInt8, IsTheProductWithTheRestoredMatrixForFewRowsAndMany) {
  const at::Tensor rows = quantised(at::randn({70, 133}));
  const at::Tensor matrix = restored(rows).to(at::kDouble);
  for (const auto& [type, rounding] :
       {std::pair{at::kFloat, std::ldexp(1.0, -24)}, {at::kBFloat16, std::ldexp(1.0, -8)}}) {
    for (const std::int64_t n : {1, 2, 3, 16, 17, 100}) {
      for (const double factor : {0, 1}) {
        const at::Tensor x = at::randn({n, 133}).to(type);
        const at::Tensor bias = at::randn({70}).to(type);
        const at::Tensor product = at::matmul(x.to(at::kDouble), matrix.t());
        const at::Tensor expected = product + factor * bias.to(at::kDouble);
        const at::Tensor result =
            linear_int8(x, rows, factor > 0 ? c10::optional<at::Tensor>(bias) : c10::nullopt);
        ASSERT_EQ(result.scalar_type(), type);
        ASSERT_EQ(result.sizes(), expected.sizes());
        const at::Tensor summed = at::matmul(x.to(at::kDouble).abs(), matrix.abs().t());
        const at::Tensor bound =
            1.01 * rounding * (expected.abs() + product.abs()) + 1e-6 * (summed + 1);
        EXPECT_LE(((result - expected).abs() / bound).max().item<double>(), 1)
            << n << " rows of " << c10::toString(type);
      }
    }
  }
}

TEST(LinearInt8, GivesARowTheSameWhateverThreadsAndRowsStandBesideIt) {
  const at::Tensor rows = quantised(at::randn({1000, 96}));
  const at::Tensor x = at::randn({4, 96});
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const at::Tensor alone = linear_int8(x.narrow(0, 2, 1), rows);
  at::set_num_threads(3);
  const at::Tensor all = linear_int8(x, rows);
  at::set_num_threads(threads);
  EXPECT_TRUE(at::equal(all[2], alone[0]));
}

TEST(LinearInt8, RefusesOperandsThatDoNotFit) {
  const at::Tensor rows = quantised(at::randn({6, 8}));
  EXPECT_THAT(refusal([&] { linear_int8(at::randn({1, 9}), rows); }), HasSubstr("does not fit"));
  EXPECT_THAT(refusal([&] {
                linear_int8(at::randn({1, 8}).to(at::kDouble), rows);
              }),
              HasSubstr("float32 or bfloat16"));
  EXPECT_THAT(refusal([&] {
                linear_int8(at::randn({1, 8}), rows, at::randn({5}));
              }),
              HasSubstr("bias"));
  EXPECT_THAT(refusal([&] {
                linear_int8(at::randn({1, 8}), rows.to(at::kFloat));
              }),
              HasSubstr("int8"));
  EXPECT_THAT(refusal([&] {
                linear_int8(at::empty({1, 0}), at::empty({3, 4}, at::kChar));
              }),
              HasSubstr("in + 4"));
}

TEST(LinearInt8, HasShapesOnTheMetaDevice) {
  const c10::InferenceMode no_autograd;
  const auto meta = at::TensorOptions().device(at::kMeta);
  const at::Tensor rows = at::empty({6, 12}, meta.dtype(at::kChar));
  const at::Tensor result = linear_int8(at::empty({3, 8}, meta.dtype(at::kBFloat16)), rows);
  EXPECT_TRUE(result.is_meta());
  EXPECT_EQ(result.sizes(), at::IntArrayRef({3, 6}));
  EXPECT_EQ(result.scalar_type(), at::kBFloat16);
}

// A stored model of every family, as plain and as int8.
class Int8Model : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr StepContext kPrefill{1, {5, 0}, 9};

  Int8Model()
      : folder_(fs::path(::testing::TempDir()) / ("int8_model_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    write_random_model({GetParam(), 3, DType::kFloat32, folder_}, [](double) {});
  }
  ~Int8Model() override { fs::remove_all(folder_); }

  ImportedModel import(DType dtype, bool int8) const {
    ImportOptions options;
    options.dtype = dtype;
    options.int8 = int8;
    return import_model(folder_.string(), options);
  }
  static Segmentation cut(const ImportedModel& model) {
    return partition(model.graph, {.max_segments = 6});
  }
  static at::Tensor run(ImportedModel& model, const Segmentation& segments) {
    return SplitModel(model, segments).run(kPrefill, {prompt()})[0];
  }
  static at::Tensor prompt() { return at::tensor({3, 14, 15, 92, 65}, at::kLong); }

  fs::path folder_;
};

std::string plain_kind(const std::string& kind) {
  if (kind == "lingua::linear_int8") return "aten::linear";
  return kind == "lingua::embedding" ? "aten::embedding" : kind;
}

TEST_P(Int8Model, HasTheGraphOfThePlainModelNodeForNodeAndValueForValue) {
  const ImportedModel plain = import(DType::kBFloat16, false);
  const ImportedModel int8 = import(DType::kBFloat16, true);
  ASSERT_EQ(plain.graph.nodes.size(), int8.graph.nodes.size());
  ASSERT_EQ(plain.graph.values.size(), int8.graph.values.size());
  int changed = 0;
  for (std::size_t i = 0; i < plain.graph.nodes.size(); ++i) {
    const Node& a = plain.graph.nodes[i];
    const Node& b = int8.graph.nodes[i];
    EXPECT_EQ(a.kind, plain_kind(b.kind));
    EXPECT_NE(b.kind, "aten::linear");
    EXPECT_NE(b.kind, "aten::embedding");
    EXPECT_EQ(a.inputs, b.inputs) << a.kind;
    EXPECT_EQ(a.outputs, b.outputs) << a.kind;
    EXPECT_EQ(a.scope, b.scope) << a.kind;
    EXPECT_EQ(a.flops, b.flops) << a.kind;
    if (a.kind == b.kind) continue;
    EXPECT_LT(b.bytes_moved.at({1, 4}), a.bytes_moved.at({1, 4})) << i;
    ++changed;
  }
  EXPECT_GT(changed, 10);
  for (std::size_t i = 0; i < plain.graph.values.size(); ++i) {
    const Value& a = plain.graph.values[i];
    const Value& b = int8.graph.values[i];
    EXPECT_EQ(a.kind, b.kind);
    if (a.kind == ValueKind::kWeight && a.name != b.name) {
      EXPECT_EQ(b.name, a.name + ":int8");
      EXPECT_EQ(b.dtype, DType::kInt8);
      EXPECT_EQ(b.dims[0], a.dims[0]);
      EXPECT_EQ(b.dims[1], a.dims[1] + StepFunction(4.0));
    } else {
      EXPECT_EQ(a.dtype, b.dtype);
      EXPECT_EQ(a.dims, b.dims);
    }
  }
}

TEST_P(Int8Model, CountsTheBytesOfTheInt8Matrix) {
  const ImportedModel model = import(DType::kFloat32, true);
  const Graph& graph = model.graph;
  bool with_embedding = false;
  for (const Node& node : graph.nodes) {
    const auto bytes = [&](std::size_t i) { return graph.values[node.inputs.at(i)].bytes(); };
    StepFunction result(0.0);
    for (ValueId id : node.outputs) result += graph.values[id].bytes();
    if (node.kind == "lingua::linear_int8") {
      StepFunction all = result;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) all += bytes(i);
      EXPECT_EQ(node.bytes_moved, all);
    } else if (node.kind == "lingua::embedding") {
      const double width = graph.values[node.inputs[0]].dims[1].at({});
      EXPECT_EQ(node.bytes_moved, result + bytes(1) + testing::kN * width);
      with_embedding = true;
    }
  }
  EXPECT_TRUE(with_embedding);
}

TEST_P(Int8Model, CutsHalvesWhereThePlainModelDoes) {
  const PartitionOptions options{.rule = "lingualinked"};
  const Segmentation plain = partition(import(DType::kBFloat16, false).graph, options);
  const Segmentation int8 = partition(import(DType::kBFloat16, true).graph, options);
  ASSERT_EQ(plain.segments.size(), int8.segments.size());
  for (std::size_t i = 0; i < plain.segments.size(); ++i) {
    EXPECT_EQ(plain.segments[i].last_node, int8.segments[i].last_node);
  }
}

TEST_P(Int8Model, GivesTheSameBytesFromWhereverTheyAreRead) {
  const ImportedModel model = import(DType::kBFloat16, true);
  const Segmentation segments = cut(model);
  for (const WeightSpec& weight : segments.segments[0].weights) {
    std::vector<std::byte> whole(static_cast<std::size_t>(weight.bytes()));
    model.source->read(weight, 0, weight.bytes(), whole.data());
    std::vector<std::byte> pieces;
    std::int64_t size = 2;
    for (std::int64_t at = 0; at < weight.bytes(); at += size, size = (3 * size + 2) % 1022 + 2) {
      size = std::min(weight.dtype == DType::kInt8 ? size : size / 4 * 4 + 4, weight.bytes() - at);
      std::vector<std::byte> piece(static_cast<std::size_t>(size));
      model.source->read(weight, at, size, piece.data());
      pieces.insert(pieces.end(), piece.begin(), piece.end());
      if (at + size == weight.bytes()) break;
    }
    EXPECT_EQ(pieces, whole) << weight.name;
  }
}

TEST_P(Int8Model, HoldsTheSameWeightsForEitherDTypeOfActivations) {
  const ImportedModel wide = import(DType::kFloat32, true);
  const ImportedModel narrow = import(DType::kBFloat16, true);
  int count = 0;
  for (const Segment& segment : cut(wide).segments) {
    for (const WeightSpec& weight : segment.weights) {
      if (weight.dtype != DType::kInt8) continue;
      std::vector<std::byte> a(static_cast<std::size_t>(weight.bytes()));
      std::vector<std::byte> b(a.size());
      wide.source->read(weight, 0, weight.bytes(), a.data());
      narrow.source->read(weight, 0, weight.bytes(), b.data());
      EXPECT_EQ(a, b) << weight.name;
      ++count;
    }
  }
  EXPECT_GT(count, 10);
}

TEST_P(Int8Model, IsNearThePlainModel) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    ImportedModel plain = import(dtype, false);
    ImportedModel int8 = import(dtype, true);
    const at::Tensor expected = run(plain, cut(plain));
    const at::Tensor logits = run(int8, cut(int8));
    const double error = ((logits - expected).norm() / expected.norm()).item<double>();
    EXPECT_GT(error, 0) << dtype_name(dtype);
    EXPECT_LT(error, 0.05) << dtype_name(dtype);
  }
}

TEST_P(Int8Model, MakesTheTokensOfTheReference) {
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    ImportedModel int8 = import(dtype, true);
    ImportOptions options;
    options.dtype = dtype;
    options.int8 = true;
    const auto expected =
        generate_reference(folder_.string(), options, {{3, 14, 15, 92, 65}}, 4, 1, true)[0];
    SplitModel split(int8, cut(int8));
    at::Tensor logits = split.run(kPrefill, {prompt()})[0];
    for (std::int64_t made = 0; made < 4; ++made) {
      const auto token = logits.flatten().argmax().item<std::int64_t>();
      ASSERT_EQ(token, expected.tokens[made]) << dtype_name(dtype) << " token " << made;
      const StepContext decode{1, {1, 5 + made}, 9};
      logits = split.run(decode, {at::tensor({token}, at::kLong)})[0];
    }
  }
}

// Segments 1 and 3 in int8: the border fits, and one device gives what several give.
TEST_P(Int8Model, MixesWithPlainSegments) {
  ImportedModel plain = import(DType::kBFloat16, false);
  ImportedModel int8 = import(DType::kBFloat16, true);
  const Segmentation plain_segments = cut(plain);
  std::vector<NodeId> after;
  for (const Segment& segment : plain_segments.segments) after.push_back(segment.last_node);
  after.pop_back();
  const Segmentation int8_segments = cut_at(int8.graph, after);
  const std::set<SegmentId> chosen = {1, 3};
  ImportedModel mixed;
  mixed.graph = plain.graph;
  mixed.source = make_mixed_source(*plain.source, *int8.source, chosen);
  const Segmentation segments = mix_segments(plain_segments, int8_segments, chosen);
  for (const Segment& segment : segments.segments) {
    const bool has_int8 =
        std::any_of(segment.weights.begin(), segment.weights.end(),
                    [](const WeightSpec& weight) { return weight.dtype == DType::kInt8; });
    EXPECT_EQ(has_int8, chosen.count(segment.id) != 0) << segment.id;
  }
  const at::Tensor several = run(mixed, segments);
  std::unique_ptr<Executor> one = make_torch_executor();
  std::map<ValueId, Tensor> values = {{mixed.graph.inputs[0], from_torch(prompt())}};
  for (const Segment& segment : segments.segments) {
    one->load(segment, mixed.source->program(segment),
              testing::read_weights(*mixed.source, segment));
    std::vector<Tensor> operands;
    for (const TensorSpec& spec : segment.inputs) operands.push_back(values.at(spec.value));
    const auto results = one->run(segment.id, kPrefill, operands);
    for (std::size_t i = 0; i < results.size(); ++i) values[segment.outputs[i].value] = results[i];
  }
  EXPECT_TRUE(at::equal(to_torch(values.at(mixed.graph.outputs[0])), several));
  EXPECT_FALSE(at::equal(several, run(plain, plain_segments)));
  EXPECT_FALSE(at::equal(several, run(int8, int8_segments)));
}

INSTANTIATE_TEST_SUITE_P(
    Families, Int8Model,
    ::testing::Values("bloom:hidden=64,layers=3,heads=4,vocabulary=200",
                      "gemma3:hidden=64,layers=3,heads=4,kv_heads=1,head_dim=16,vocabulary=200,"
                      "window=8"),
    [](const auto& info) { return std::string(info.param).substr(0, 5); });

TEST(Int8Reader, NamesTheWeightAndRowThatHasNoScale) {
  struct Plain : WeightReader {
    void read(const std::string& weight, std::int64_t offset, std::int64_t bytes,
              std::byte* out) override {
      for (std::int64_t at = offset / 4; at < (offset + bytes) / 4; ++at) {
        const float value = at == 2 * 10 + 7 ? std::nanf("") : 1;
        std::memcpy(out + at * 4 - offset, &value, 4);
      }
    }
  };
  const WeightSpec weight = int8_weight({"h.1.weight", DType::kBFloat16, {5, 10}});
  const auto reader = make_int8_reader(std::make_unique<Plain>(), {weight}, "a.safetensors");
  std::vector<std::byte> out(static_cast<std::size_t>(weight.bytes()));
  reader->read(weight.name, 0, 2 * 14, out.data());
  EXPECT_THAT(testing::message_of<InputError>(
                  [&] { reader->read(weight.name, 0, weight.bytes(), out.data()); }),
              AllOf(HasSubstr("a.safetensors"), HasSubstr("'h.1.weight'"), HasSubstr("row 2")));
}

}  // namespace
}  // namespace lingua
