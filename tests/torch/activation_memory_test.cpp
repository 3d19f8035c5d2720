#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "runtime/partition/partition.h"
#include "tests/support/sanitized.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using testing::input;
using testing::kN;

// The most that has been resident since the last call, in bytes: as the kernel counts.
double peak_bytes() {
  std::ifstream status("/proc/self/status");
  double kilobytes = 0;
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> kilobytes;
  }
  std::ofstream("/proc/self/clear_refs") << 5;
  return 1000 * 1.024 * kilobytes;
}

// An attention of 16 heads of 32, whose scores take 64 n^2 bytes. A program of its own: the peak is of
// the process.
TEST(ActivationMemory, OfASegmentIsWhatThePlanCounts) {
  if (testing::kSanitized) GTEST_SKIP() << "the sanitizer keeps what is freed";
  ImportedModel model = import_script(testing::script(
      testing::define("def forward(self, x: Tensor, new_tokens: int):\n"
                      "  q = torch.matmul(x, self.w).view(new_tokens, 16, 32).transpose(0, 1)\n"
                      "  s = torch.matmul(q, q.transpose(1, 2)) * 0.17\n"
                      "  p = torch.softmax(s, -1)\n"
                      "  y = torch.matmul(p, q).transpose(0, 1).reshape(new_tokens, 512)\n"
                      "  return torch.matmul(y, self.w)\n",
                      {{"w", at::randn({512, 512}) / 23}}),
      {input("x", DType::kFloat32, {kN, 512.0}), testing::step_scalar("new_tokens")}));
  const Segment segment = cut_at(model.graph, {}).segments.at(0);
  const auto executor = make_torch_executor();
  executor->load(segment, model.source->program(segment),
                 testing::read_weights(*model.source, segment));
  const auto grown = [&](std::int64_t tokens) {
    const at::Tensor x = at::randn({tokens, 512});
    peak_bytes();
    const double before = peak_bytes();
    executor->run(segment.id, {1, {tokens, 0}, 0}, {from_torch(x)});
    return peak_bytes() - before;
  };
  grown(16);
  for (const std::int64_t tokens : {1024, 2048}) {
    const double counted = segment.activation_bytes({tokens, 0});
    EXPECT_GT(counted, 2 * 64.0 * static_cast<double>(tokens * tokens));
    EXPECT_NEAR(grown(tokens) / counted, 1, 0.25) << tokens;
  }
}

}  // namespace
}  // namespace lingua
