#pragma once
// What the executor's contract is tested with: a world that gives an executor, a segment, and what that computes.
//
// The segment, as TorchScript (operands: step scalars, inputs, state, weights):
//   def forward(self, new_tokens: int, cached_tokens: int, x: Tensor, s: Tensor, w: Tensor):
//       total = cached_tokens + new_tokens
//       s[cached_tokens:total] = x
//       return torch.matmul(x, w) + torch.sum(s[0:total], 0)

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/device/device.h"

namespace lingua::testing {

class ExecutorWorld {
 public:
  virtual ~ExecutorWorld() = default;

  // Calls `use` with a fresh executor (on an actor, a thread, or here).
  virtual void run(const std::function<void(Executor&)>& use) = 0;

  // Lite-interpreter bytes of the contract's segment; empty where no numerics are done.
  virtual std::string program() { return {}; }
};

inline void PrintTo(ExecutorWorld*, std::ostream* out) { *out << "world"; }

class ExecutorContract : public ::testing::TestWithParam<ExecutorWorld*> {
 protected:
  static constexpr std::int64_t kWidth = 4;
  static constexpr std::int64_t kRows = 8;  // the capacity of a request

  static Segment segment(SegmentId id) {
    const StepFunction rows{{0, 1, 0, 0, 0, 0}};
    const StepFunction width(static_cast<double>(kWidth));
    Segment s;
    s.id = id;
    s.name = "contract";
    s.step_scalars = {StepScalar::kNewTokens, StepScalar::kCachedTokens};
    s.inputs = {{0, "x", DType::kFloat32, true, {rows, width}, product({rows, width}) * 4}};
    s.outputs = {{1, "y", DType::kFloat32, true, {rows, width}, product({rows, width}) * 4}};
    s.state = {{2, "s", DType::kFloat32, {kCapacity, kWidth}}};
    s.weights = {{"w" + std::to_string(id), DType::kFloat32, {kWidth, kWidth}}};
    s.flops = 32.0;
    s.bytes_moved = 64.0;
    return s;
  }

  static Tensor floats(const std::vector<float>& values, std::vector<std::int64_t> shape) {
    Tensor tensor = make_bytes_tensor(values.data(), static_cast<std::int64_t>(values.size() * 4));
    tensor.dtype = DType::kFloat32;
    tensor.shape = std::move(shape);
    return tensor;
  }

  // w[i][j] = 1 + i - 2 j, x[r][i] = seed + r + i / 2: exact in fp32.
  static float w(std::int64_t i, std::int64_t j) { return static_cast<float>(1 + i - 2 * j); }
  static float x(std::int64_t seed, std::int64_t row, std::int64_t i) {
    return static_cast<float>(seed + row) + static_cast<float>(i) / 2;
  }

  static Tensor weight() {
    std::vector<float> values;
    for (std::int64_t i = 0; i < kWidth; ++i) {
      for (std::int64_t j = 0; j < kWidth; ++j) values.push_back(w(i, j));
    }
    return floats(values, {kWidth, kWidth});
  }

  static void load(Executor& executor, SegmentId id) {
    executor.load(segment(id), GetParam()->program(), {weight()});
  }

  // One step whose rows continue those of the steps before it; `sums` holds the column sums of the
  // request's state and is brought up to date.
  using Sums = std::array<float, kWidth>;
  static void step(Executor& executor, SegmentId id, RequestId request, const Step& shape,
                   Sums& sums) {
    const std::int64_t seed = 10 * request + shape.cached_tokens;
    std::vector<float> values;
    for (std::int64_t row = 0; row < shape.new_tokens; ++row) {
      for (std::int64_t i = 0; i < kWidth; ++i) {
        values.push_back(x(seed, row, i));
        sums[static_cast<std::size_t>(i)] += values.back();
      }
    }
    const std::vector<Tensor> outputs =
        executor.run(id, {request, shape, kRows}, {floats(values, {shape.new_tokens, kWidth})});
    ASSERT_EQ(outputs.size(), 1U);
    EXPECT_EQ(outputs[0].dtype, DType::kFloat32);
    EXPECT_EQ(outputs[0].shape, (std::vector<std::int64_t>{shape.new_tokens, kWidth}));
    EXPECT_EQ(outputs[0].has_data(), !GetParam()->program().empty());
    if (!outputs[0].has_data()) return;
    std::vector<float> got(static_cast<std::size_t>(shape.new_tokens * kWidth));
    std::memcpy(got.data(), outputs[0].data.get(), got.size() * 4);
    for (std::int64_t row = 0; row < shape.new_tokens; ++row) {
      for (std::int64_t j = 0; j < kWidth; ++j) {
        float expected = sums[static_cast<std::size_t>(j)];
        for (std::int64_t i = 0; i < kWidth; ++i) expected += x(seed, row, i) * w(i, j);
        EXPECT_NEAR(got[static_cast<std::size_t>(row * kWidth + j)], expected, 1e-3)
            << "request " << request << ", row " << row << ", column " << j;
      }
    }
  }
};

}  // namespace lingua::testing
