#include "runtime/torch/torch_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/base/random.h"
#include "runtime/partition/partition.h"
#include "runtime/torch/program_bytes.h"
#include "tests/torch/process_memory.h"
#include "tests/torch/script_support.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using testing::forget_touched;
using ::testing::HasSubstr;
using testing::input;
using testing::kN;
using testing::resident_bytes;
using testing::touched_bytes;

TEST(Exertions, AreRefusedInADTypeThatIsNotComputedWith) {
  const auto executor = make_torch_executor();
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8}) {
    const Exertion reads{ExertionKind::kWeights, dtype, 1};
    EXPECT_EQ(executor->exert(reads).bytes, work_of(reads).bytes);
  }
  EXPECT_THROW(executor->exert({ExertionKind::kProducts, DType::kInt64, 1}), WorldError);
}

// What a product reads has left the caches since it was read last, as a model's weights have.
TEST(Exertions, MultiplyMatricesInTurnThatNoCacheHolds) {
  const auto executor = make_torch_executor();
  const double matrix = 4.0 * kProductWidth * kProductHeight;
  const auto touched_by = [&](std::int64_t products) {
    forget_touched();
    executor->exert({ExertionKind::kProducts, DType::kFloat32, products});
    return touched_bytes();
  };
  touched_by(1);  // makes them
  const double by_one = touched_by(1);
  EXPECT_LT(by_one, 8 * matrix);
  EXPECT_GT(touched_by(kProductMatrices) - by_one, 0.8 * matrix * (kProductMatrices - 1));
}

TEST(Exertions, TakeMemoryUntilAnotherKindIsAskedFor) {
  const auto executor = make_torch_executor();
  executor->exert({ExertionKind::kSegments, DType::kFloat32, 1});
  const double before = resident_bytes();
  executor->exert({ExertionKind::kMemory, DType::kFloat32, 2});
  executor->exert({ExertionKind::kMemory, DType::kFloat32, 2});
  EXPECT_GE(resident_bytes() - before, 3.9 * static_cast<double>(kMemoryBlock));
  executor->exert({ExertionKind::kSegments, DType::kFloat32, 1});
  EXPECT_LT(resident_bytes() - before, 0.5 * static_cast<double>(kMemoryBlock));
}

// y = x w, and a running sum of y in a state.
class TorchExecutorTest : public ::testing::Test {
 protected:
  TorchExecutorTest() {
    ForwardArgument sum = testing::state("sum", {kCapacity, 3});
    imported_ = import_script(testing::script(
        testing::define("def forward(self, x: Tensor, new_tokens: int, sum: Tensor):\n"
                        "  y = torch.matmul(x, self.w)\n"
                        "  sum[:new_tokens] = sum[:new_tokens] + y\n"
                        "  return y, sum[:new_tokens] * 1.0\n",
                        {{"w", w_}}),
        {input("x", DType::kFloat32, {kN, 2.0}), testing::step_scalar("new_tokens"), sum}));
    segment_ = cut_at(imported_.graph, {}).segments.at(0);
    program_ = imported_.source->program(segment_);
    weights_ = testing::read_weights(*imported_.source, segment_);
  }

  std::vector<at::Tensor> run(Executor& executor, RequestId request, const at::Tensor& x) const {
    const StepContext context{request, {x.size(0), 0}, 8};
    std::vector<at::Tensor> outputs;
    for (const Tensor& output : executor.run(segment_.id, context, {from_torch(x)})) {
      outputs.push_back(to_torch(output));
    }
    return outputs;
  }

  const at::Tensor w_ = at::randn({2, 3});
  const at::Tensor x_ = at::randn({4, 2});
  ImportedModel imported_;
  Segment segment_;
  std::string program_;
  std::vector<Tensor> weights_;
};

TEST_F(TorchExecutorTest, KeepsStatesPerRequestAndZeroesNewOnes) {
  const auto executor = make_torch_executor();
  executor->load(segment_, program_, weights_);
  const at::Tensor y = at::matmul(x_, w_);
  EXPECT_TRUE(at::equal(run(*executor, 1, x_)[1], y));
  EXPECT_TRUE(at::equal(run(*executor, 1, x_)[1], y + y));
  EXPECT_TRUE(at::equal(run(*executor, 2, x_)[1], y));
  executor->release(1);
  EXPECT_TRUE(at::equal(run(*executor, 1, x_)[1], y));
  EXPECT_TRUE(at::equal(run(*executor, 2, x_)[1], y + y));
  executor->release(99);
}

TEST_F(TorchExecutorTest, OutputsOutliveTheSegmentAndLaterSteps) {
  const auto executor = make_torch_executor();
  executor->load(segment_, program_, weights_);
  const auto first = executor->run(segment_.id, {1, {4, 0}, 8}, {from_torch(x_)});
  run(*executor, 1, x_ * 2);
  executor->unload(segment_.id);
  executor->unload(segment_.id);
  EXPECT_TRUE(at::equal(to_torch(first[0]), at::matmul(x_, w_)));
  EXPECT_TRUE(at::equal(to_torch(first[1]), at::matmul(x_, w_)));
}

TEST_F(TorchExecutorTest, SharesWeightsWithoutCopyingThem) {
  const auto memory = allocate_bytes(weights_[0].bytes());
  std::copy_n(weights_[0].data.get(), weights_[0].bytes(), memory.get());
  const auto executor = make_torch_executor();
  executor->load(segment_, program_, {{DType::kFloat32, weights_[0].shape, memory}});
  std::fill_n(memory.get(), weights_[0].bytes(), std::byte{0});
  EXPECT_TRUE(at::equal(run(*executor, 1, x_)[0], at::zeros({4, 3})));
}

TEST_F(TorchExecutorTest, RefusesWeightsOfAnotherSizeAndKeepsWhatIsLoaded) {
  const auto executor = make_torch_executor();
  executor->load(segment_, program_, weights_);
  Tensor wrong = weights_[0];
  wrong.shape = {2, 2};
  EXPECT_THAT(testing::message_of<WorldError>([&] { executor->load(segment_, program_, {wrong}); }),
              AllOf(HasSubstr("weight w"), HasSubstr("16 bytes"), HasSubstr("24")));
  wrong.data = nullptr;
  EXPECT_THROW(executor->load(segment_, program_, {wrong}), WorldError);
  EXPECT_TRUE(at::equal(run(*executor, 1, x_)[0], at::matmul(x_, w_)));
}

TEST_F(TorchExecutorTest, RefusesProgramsThatAreNone) {
  const auto executor = make_torch_executor();
  for (const std::string& program :
       {std::string(), std::string("not a program"), program_.substr(0, program_.size() / 2),
        std::string(1 << 16, '\0')}) {
    const std::string why =
        testing::message_of<WorldError>([&] { executor->load(segment_, program, weights_); });
    EXPECT_THAT(why, HasSubstr("program"));
    EXPECT_EQ(why.find('\n'), std::string::npos) << why;
  }
  EXPECT_THROW(run(*executor, 1, x_), BugError);
}

TEST_F(TorchExecutorTest, RefusesEveryProgramWithAFlippedBit) {
  Rng rng(11);
  const auto executor = make_torch_executor();
  for (int i = 0; i < 300; ++i) {
    std::string program = program_;
    program[rng.below(program.size())] ^= static_cast<char>(1U << rng.below(8));
    EXPECT_THROW(executor->load(segment_, program, weights_), WorldError);
  }
}

TEST_F(TorchExecutorTest, RefusesAProgramWithOtherOperands) {
  Segment other = segment_;
  other.weights.push_back({"w", DType::kFloat32, {2, 3}});
  const auto executor = make_torch_executor();
  EXPECT_THAT(testing::message_of<WorldError>([&] {
                executor->load(other, program_, {weights_[0], weights_[0]});
              }),
              HasSubstr("operands"));
}

TEST_F(TorchExecutorTest, SaysInOneLineWhyAProgramFails) {
  const auto executor = make_torch_executor();
  executor->load(segment_, program_, weights_);
  const std::string why = testing::message_of<WorldError>([&] {
    executor->run(segment_.id, {1, {4, 0}, 8}, {from_torch(at::randn({4, 5}))});
  });
  EXPECT_THAT(why, HasSubstr("mat1 and mat2 shapes cannot be multiplied"));
  EXPECT_EQ(why.find('\n'), std::string::npos) << why;
}

TEST_F(TorchExecutorTest, SaysThatThereIsNoMemoryForStates) {
  const auto executor = make_torch_executor();
  executor->load(segment_, program_, weights_);
  const auto run_with = [&](std::int64_t capacity) {
    executor->run(segment_.id, {1, {4, 0}, capacity}, {from_torch(x_)});
  };
  EXPECT_THAT(testing::message_of<WorldError>([&] { run_with(std::int64_t{1} << 50); }),
              HasSubstr("no memory for its states"));
  EXPECT_THROW(run_with(std::int64_t{1} << 62), WorldError);
  run_with(8);
}

// What this process has in memory.
TEST_F(TorchExecutorTest, StatesTakeMemoryAsTheyAreWritten) {
  const auto executor = make_torch_executor();
  executor->load(segment_, program_, weights_);
  const auto run_with = [&](RequestId request, std::int64_t capacity) {
    return to_torch(
        executor->run(segment_.id, {request, {4, 0}, capacity}, {from_torch(x_)}).at(1));
  };
  run_with(1, 8);
  const double before = resident_bytes();
  const at::Tensor large = run_with(2, std::int64_t{1} << 26);  // 805 MB
  EXPECT_LT(resident_bytes() - before, 100e6);
  EXPECT_TRUE(at::equal(large, at::matmul(x_, w_)));
}

TEST(TensorConvert, KeepsTypeShapeAndBits) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kLong, at::kBool, at::kByte}) {
    const at::Tensor tensor = at::randint(0, 2, {3, 5}).to(type).t();
    EXPECT_TRUE(at::equal(to_torch(from_torch(tensor)), tensor));
  }
  EXPECT_TRUE(from_torch(at::zeros({0, 3})).has_data());
}

TEST_F(TorchExecutorTest, SurvivesDamageUnderAValidSeal) {
  const auto executor = make_torch_executor();
  std::string whole;
  ASSERT_TRUE(open_program(program_, &whole));
  Rng rng(11);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = whole;
    const std::size_t at = rng.below(bytes.size());
    switch (rng.below(4)) {
      case 0: bytes.resize(at); break;
      case 1: bytes.erase(at, 1 + rng.below(64)); break;
      case 2: bytes.insert(at, bytes.substr(rng.below(bytes.size()), 1 + rng.below(64))); break;
      default: bytes[at] ^= static_cast<char>(1U << rng.below(8)); break;
    }
    try {
      executor->load(segment_, seal_program(bytes), weights_);
    } catch (const WorldError& error) {
      EXPECT_THAT(error.what(), HasSubstr("program"));
      ++refused;
    }
  }
  EXPECT_GT(refused, 2500) << "of 3000; a date or a byte between records may be any";
}

}  // namespace
}  // namespace lingua
