// A head and an embedding in pieces give the logits of the whole ones, bit for bit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/temporary.h"
#include "runtime/partition/partition.h"
#include "runtime/plan/run_memory.h"
#include "runtime/torch/import.h"
#include "runtime/torch/random_model.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using testing::SplitModel;

constexpr std::int64_t kTokens = 21;

struct Form {
  const char* family;
  bool tied;
  DType dtype;
  bool int8;
};

std::string name_of(const ::testing::TestParamInfo<Form>& info) {
  const std::string family = info.param.family;
  return family.substr(0, family.find(':')) + (info.param.tied ? "_tied" : "_untied") +
         (info.param.int8 ? "_int8" : "") +
         (info.param.dtype == DType::kBFloat16 ? "_bf16" : "_fp32");
}

bool same_bits(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         std::memcmp(a.data_ptr(), b.data_ptr(), a.nbytes()) == 0;
}

// Each piece is a segment.
Segmentation cut(const ImportedModel& model) {
  return partition(model.graph, {.max_segments = 40});
}

class PiecesOfHead : public ::testing::TestWithParam<Form> {
 protected:
  PiecesOfHead() : model_(folder_.file("model")) {
    write_random_model({GetParam().family, 11, DType::kFloat32, model_}, [](double) {});
  }

  ImportedModel import(Head head, std::int64_t pieces) const {
    ImportOptions options;
    options.dtype = GetParam().dtype;
    options.int8 = GetParam().int8;
    options.head = head;
    options.head_pieces.count = pieces;
    return import_model(model_, options);
  }

  // Of a prompt and of further tokens, one by one.
  static std::vector<at::Tensor> results(ImportedModel& model, bool with_targets) {
    SplitModel split(model, cut(model));
    std::vector<at::Tensor> all;
    for (const auto& [done, size] :
         {std::pair<std::int64_t, std::int64_t>{0, 17}, {17, 1}, {18, 3}}) {
      const at::Tensor tokens = (at::arange(done, done + size) * 37 + 5).remainder(251);
      std::vector<at::Tensor> inputs = {tokens};
      if (with_targets) inputs.push_back((tokens + 1).remainder(251));
      all.push_back(split.run({1, {size, done}, kTokens}, inputs).at(0));
    }
    return all;
  }

  const TemporaryFolder folder_;
  const std::string model_;
};

TEST_P(PiecesOfHead, GiveTheLogitsAndScoresOfTheWholeBitForBit) {
  for (const Head head : {Head::kLast, Head::kAll, Head::kScore}) {
    const bool score = head == Head::kScore;
    ImportedModel whole = import(head, 1);
    const std::vector<at::Tensor> expected = results(whole, score);
    for (const std::int64_t pieces : {2, 3, 8}) {
      ImportedModel model = import(head, pieces);
      EXPECT_EQ(model.head_pieces, pieces);
      const std::vector<at::Tensor> got = results(model, score);
      ASSERT_EQ(got.size(), expected.size());
      for (std::size_t i = 0; i < got.size(); ++i) {
        EXPECT_TRUE(same_bits(got[i], expected[i])) << pieces << " pieces, step " << i;
      }
    }
  }
}

TEST_P(PiecesOfHead, HoldEveryRowOfTheStoredMatricesOnce) {
  ImportedModel whole = import(Head::kLast, 1);
  ImportedModel model = import(Head::kLast, 3);
  std::map<std::string, std::vector<std::byte>> matrices;
  const auto add_all = [&](ImportedModel& from, bool pieces) {
    for (const Value& value : from.graph.values) {
      const bool is_piece = value.name.find('[') != std::string::npos;
      if (value.kind != ValueKind::kWeight || is_piece != pieces) continue;
      WeightSpec spec{value.name, value.dtype, {}};
      for (const StepFunction& dim : value.dims)
        spec.shape.push_back(static_cast<std::int64_t>(dim.at({})));
      std::vector<std::byte>& bytes = matrices[value.name.substr(0, value.name.find(".weight"))];
      const std::size_t before = bytes.size();
      bytes.resize(before + static_cast<std::size_t>(spec.bytes()));
      from.source->read(spec, 0, spec.bytes(), bytes.data() + before);
    }
  };
  add_all(model, true);
  const auto pieces = std::exchange(matrices, {});
  EXPECT_EQ(pieces.size(), GetParam().tied ? 1U : 2U);
  add_all(whole, false);
  for (const auto& [name, bytes] : pieces) EXPECT_TRUE(bytes == matrices.at(name)) << name;
  EXPECT_EQ(whole.graph.weights_bytes(), model.graph.weights_bytes());
}

TEST_P(PiecesOfHead, TakeNoMemoryTwiceOnADeviceThatHoldsTheEmbeddingToo) {
  const ImportedModel model = import(Head::kLast, 3);
  const Segmentation segments = cut(model);
  const auto count = static_cast<SegmentId>(segments.segments.size());
  RunMemory memory(Workload{});
  for (SegmentId id = 0; id < count; ++id)
    memory.run(segments.segments[static_cast<std::size_t>(id)]);
  EXPECT_EQ(memory.weights_bytes(), model.graph.weights_bytes());
  if (!GetParam().tied) return;
  // Its first two and its last but one: the piece in the middle is one of both.
  RunMemory both(Workload{});
  for (const SegmentId id : {0, 1}) both.run(segments.segments[static_cast<std::size_t>(id)]);
  const double before = both.weights_bytes();
  both.run(segments.segments[static_cast<std::size_t>(count - 2)]);
  EXPECT_EQ(both.weights_bytes(), before);
}

std::vector<Form> forms() {
  std::vector<Form> all;
  for (const auto& [family, tied] : std::vector<std::pair<const char*, bool>>{
           {"bloom:hidden=72,layers=2,heads=3,vocabulary=251", true},
           {"llama:hidden=72,layers=2,heads=6,kv_heads=2,vocabulary=251", false},
           {"qwen3:hidden=64,layers=2,heads=4,kv_heads=2,head_dim=24,vocabulary=251", false},
           {"gemma3:hidden=64,layers=2,heads=4,kv_heads=1,head_dim=16,vocabulary=251,window=8",
            true}}) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      for (const bool int8 : {false, true}) all.push_back({family, tied, dtype, int8});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(AllFamilies, PiecesOfHead, ::testing::ValuesIn(forms()), name_of);

class PiecesOfGgufHead : public ::testing::TestWithParam<const char*> {};

TEST_P(PiecesOfGgufHead, GiveTheLogitsOfTheWholeBitForBit) {
  const TemporaryFolder folder;
  const nlohmann::json golden = nlohmann::json::parse(std::ifstream(
      LINGUA_CHECKPOINT_GOLDEN + std::string("/gguf_models/") + GetParam() + ".json"));
  const std::string hex = golden["gguf"];
  const std::string file = folder.file("model.gguf");
  {
    std::ofstream out(file, std::ios::binary);
    for (std::size_t i = 0; i < hex.size(); i += 2)
      out.put(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  for (const bool int8 : {false, true}) {
    const auto logits = [&](std::int64_t pieces) {
      ImportOptions options;
      options.head = Head::kAll;
      options.int8 = int8;
      options.head_pieces.count = pieces;
      ImportedModel model = import_model(file, options);
      const at::Tensor tokens = at::arange(model.vocabulary).flip(0);
      const std::int64_t count = tokens.size(0);
      return SplitModel(model, cut(model)).run({1, {count, 0}, count}, {tokens}).at(0);
    };
    const at::Tensor whole = logits(1);
    for (const std::int64_t pieces : {2, 3, 7})
      EXPECT_TRUE(same_bits(logits(pieces), whole)) << pieces;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, PiecesOfGgufHead,
                         ::testing::Values("llama", "llama-biases-tied", "gemma3", "qwen2"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

constexpr const char* kSmall = "bloom:hidden=64,layers=4,heads=4,vocabulary=1000";

std::int64_t pieces_of(const ImportOptions& options) {
  return import_model(kSmall, options).head_pieces;
}

TEST(HeadPieces, AreAsManyAsTheBoundAsksFor) {
  const double table = 1000 * 64 * 4;
  for (const auto& [most_bytes, pieces] : std::vector<std::pair<double, std::int64_t>>{
           {0, 1}, {table, 1}, {table - 1, 2}, {table / 2, 2}, {table / 3, 4}, {256, 1000}}) {
    ImportOptions options;
    options.head_pieces.most_bytes = most_bytes;
    ASSERT_EQ(pieces_of(options), pieces) << most_bytes;
    const ImportedModel model = import_model(kSmall, options);
    for (const Value& value : model.graph.values) {
      const bool bounded = value.name.starts_with("word_embeddings.weight") && most_bytes > 0;
      if (!bounded) continue;
      EXPECT_LE(value.bytes().at({}), most_bytes) << value.name;
    }
    options.head_pieces.count = 3;
    EXPECT_EQ(pieces_of(options), std::max<std::int64_t>(3, pieces));
  }
}

TEST(HeadPieces, OfAModelInInt8AreCountedByItsBytes) {
  ImportOptions options;
  options.head_pieces.most_bytes = 1000 * 68;
  options.int8 = true;
  EXPECT_EQ(pieces_of(options), 1);
  options.head_pieces.most_bytes = 999 * 68;
  EXPECT_EQ(pieces_of(options), 2);
}

// Then the partition says what is too large.
TEST(HeadPieces, AreNotMadeWhereNoRowIsWithinTheBound) {
  ImportOptions options;
  options.head_pieces.most_bytes = 255;
  EXPECT_EQ(pieces_of(options), 1);
}

TEST(HeadPieces, AreASixteenthOfTheWeightsAtMostWhenTheyAreChosen) {
  for (const char* name : {"bloom-560m", "gemma3-270m", "llama-3.2-1b", "qwen2.5-0.5b", kSmall}) {
    ImportOptions options;
    options.dtype = DType::kBFloat16;
    options.head_pieces.count = 0;
    const ImportedModel model = import_model(name, options);
    const double all = model.graph.weights_bytes();
    double largest = 0;
    double table = 0;
    for (const Value& value : model.graph.values) {
      if (value.kind != ValueKind::kWeight || value.name.find("embed") == std::string::npos ||
          value.dims.size() != 2)
        continue;
      largest = std::max(largest, value.bytes().at({}));
      table += value.bytes().at({});
    }
    EXPECT_LE(largest, all / 16) << name;
    EXPECT_LT(static_cast<double>(model.head_pieces - 1), 16.1 * table / all) << name;
  }
}

TEST(HeadPieces, CannotBeMoreThanThereAreTokens) {
  ImportOptions options;
  options.head_pieces.count = 1001;
  EXPECT_THAT(testing::message_of<UsageError>([&] { import_model(kSmall, options); }),
              AllOf(HasSubstr("1001 pieces"), HasSubstr("as it has tokens, 1000")));
}

}  // namespace
}  // namespace lingua
