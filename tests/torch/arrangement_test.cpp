// A position's logits have the same bits however the work was arranged.
#include <ATen/Parallel.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "runtime/partition/partition.h"
#include "runtime/torch/import.h"
#include "runtime/torch/random_model.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;
using testing::SplitModel;

constexpr std::int64_t kTokens = 53;

struct Form {
  const char* family;
  DType dtype;
  bool int8;
};

std::string name_of(const ::testing::TestParamInfo<Form>& info) {
  std::string name = info.param.family;
  name = name.substr(0, name.find(':'));
  name += info.param.int8 ? "_int8" : "";
  return name + (info.param.dtype == DType::kBFloat16 ? "_bf16" : "_fp32");
}

class Arrangement : public ::testing::TestWithParam<Form> {
 protected:
  Arrangement()
      : folder_(fs::path(::testing::TempDir()) / ("arrangement_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    write_random_model({GetParam().family, 5, DType::kFloat32, folder_}, [](double) {});
  }
  ~Arrangement() override { fs::remove_all(folder_); }

  // The logits of all positions of a request whose steps have these sizes, over and over.
  static at::Tensor logits(SplitModel& model, RequestId request,
                           const std::vector<std::int64_t>& sizes, bool with_targets) {
    std::vector<at::Tensor> all;
    std::int64_t done = 0;
    for (std::size_t i = 0; done < kTokens; ++i) {
      const std::int64_t size = std::min(sizes[i % sizes.size()], kTokens - done);
      const at::Tensor tokens = (at::arange(done, done + size) * 37 + 5).remainder(250);
      std::vector<at::Tensor> inputs = {tokens};
      if (with_targets) inputs.push_back((tokens + 1).remainder(250));
      all.push_back(model.run({request, {size, done}, kTokens}, inputs).at(0));
      done += size;
    }
    return at::cat(all);
  }

  fs::path folder_;
};

TEST_P(Arrangement, DoesNotChangeABitOfTheLogits) {
  for (const Head head : {Head::kAll, Head::kScore}) {
    ImportOptions options;
    options.dtype = GetParam().dtype;
    options.int8 = GetParam().int8;
    options.head = head;
    const bool score = head == Head::kScore;
    ImportedModel imported = import_model(folder_.string(), options);
    SplitModel model(imported, partition(imported.graph, {.max_segments = 3}));
    const at::Tensor whole = logits(model, 0, {kTokens}, score);
    ASSERT_EQ(whole.size(0), kTokens);
    ASSERT_TRUE(at::isfinite(whole).all().item<bool>());
    const std::vector<std::vector<std::int64_t>> arrangements = {
        {1}, {2}, {16}, {17, 1, 3}, {33, 1}, {7, 12}, {kTokens}};
    const int threads = at::get_num_threads();
    RequestId request = 1;
    for (const auto& sizes : arrangements) {
      at::set_num_threads(1 + static_cast<int>(request % 3));
      const at::Tensor other = logits(model, request, sizes, score);
      EXPECT_TRUE(at::equal(other, whole))
          << "steps of " << ::testing::PrintToString(sizes) << " differ by "
          << (other - whole).abs().max().item<double>();
      ++request;
    }
    at::set_num_threads(threads);
  }
}

// Requests of other lengths that are at other places, some with pieces of a prompt and some with one token.
TEST_P(Arrangement, DoesNotChangeABitWhenRequestsRunAsOne) {
  ImportOptions options;
  options.dtype = GetParam().dtype;
  options.int8 = GetParam().int8;
  options.head = Head::kAll;
  ImportedModel imported = import_model(folder_.string(), options);
  EXPECT_TRUE(imported.graph.freedom.batches);
  EXPECT_TRUE(imported.graph.freedom.chunks);
  SplitModel model(imported, partition(imported.graph, {.max_segments = 3}));
  const int threads = at::get_num_threads();
  constexpr RequestId kRequests = 5;
  const auto step_of = [](RequestId request, std::int64_t from, std::int64_t size) {
    const at::Tensor tokens = (at::arange(from, from + size) * 37 + 5 + request).remainder(250);
    return SplitModel::Step{{request, {size, from}, kTokens}, {tokens}};
  };
  std::vector<at::Tensor> alone;
  for (RequestId r = 0; r < kRequests; ++r)
    alone.push_back(model.run({step_of(r, 0, kTokens)})[0].at(0));
  std::vector<std::int64_t> done(kRequests, 0);
  for (int round = 0; round < 12; ++round) {
    at::set_num_threads(1 + round % 3);
    std::vector<SplitModel::Step> batch;
    for (RequestId r = 0; r < kRequests; ++r) {
      if ((round + r) % 4 == 3) continue;
      const std::int64_t size = (round + 2 * r) % 3 == 0 ? 1 + r * 3 : 1;
      batch.push_back(step_of(kRequests + r, done[static_cast<std::size_t>(r)], size));
      batch.back().inputs[0] = step_of(r, done[static_cast<std::size_t>(r)], size).inputs[0];
    }
    const auto together = model.run(batch);
    for (std::size_t i = 0; i < batch.size(); ++i) {
      const RequestId r = batch[i].context.request - kRequests;
      const Step& step = batch[i].context.step;
      const at::Tensor expected =
          alone[static_cast<std::size_t>(r)].narrow(0, step.cached_tokens, step.new_tokens);
      EXPECT_TRUE(at::equal(together[i].at(0), expected)) << "round " << round << ", request " << r;
      done[static_cast<std::size_t>(r)] += step.new_tokens;
    }
  }
  at::set_num_threads(threads);
}

std::vector<Form> forms() {
  std::vector<Form> all;
  for (const char* family :
       {"bloom:hidden=72,layers=3,heads=3,vocabulary=256",
        "llama:hidden=72,layers=3,heads=6,kv_heads=2,vocabulary=256",
        "mistral:hidden=64,layers=3,heads=4,kv_heads=2,vocabulary=256,window=16",
        "qwen2:hidden=64,layers=3,heads=4,kv_heads=2,vocabulary=256",
        "qwen3:hidden=64,layers=3,heads=4,kv_heads=2,head_dim=24,vocabulary=256",
        "gemma3:hidden=64,layers=6,heads=4,kv_heads=1,head_dim=16,vocabulary=256,window=8"}) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      for (const bool int8 : {false, true}) all.push_back({family, dtype, int8});
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(AllFamilies, Arrangement, ::testing::ValuesIn(forms()), name_of);

}  // namespace
}  // namespace lingua
