#include "runtime/plan/message_sizes.h"

#include <gtest/gtest.h>

#include "tests/plan/hand_sizes.h"

namespace lingua {
namespace {

using testing::kHandSizes;

double tensors_bytes(const std::vector<Tensor>& tensors) {
  double bytes = 0;
  for (const Tensor& tensor : tensors) bytes += static_cast<double>(tensor.bytes());
  return bytes;
}

// An encoding whose sizes are known.
double encoded_bytes(const MessageBody& body) {
  if (const auto* values = std::get_if<Activations>(&body)) {
    return kHandSizes.activations + tensors_bytes(values->tensors) +
           kHandSizes.tensor * static_cast<double>(values->tensors.size());
  }
  if (const auto* together = std::get_if<Together>(&body)) {
    double bytes = kHandSizes.together;
    for (const Activations& each : together->activations)
      bytes += kHandSizes.together_each + encoded_bytes(each);
    return bytes;
  }
  if (const auto* submit = std::get_if<Submit>(&body))
    return kHandSizes.submit + tensors_bytes(submit->inputs);
  if (const auto* done = std::get_if<Done>(&body))
    return kHandSizes.done + kHandSizes.done_token * static_cast<double>(done->tokens.size());
  if (std::holds_alternative<StepResult>(body)) return kHandSizes.result;
  if (std::holds_alternative<TokenMade>(body)) return kHandSizes.token_made;
  if (std::holds_alternative<Release>(body)) return kHandSizes.release;
  ADD_FAILURE() << describe(body) << " has no part in a plan";
  return 0;
}

TEST(MessageSizes, AreThoseOfTheEncodingThatIsAsked) {
  const MessageSizes sizes = message_sizes(encoded_bytes);
  EXPECT_EQ(sizes.activations, kHandSizes.activations);
  EXPECT_EQ(sizes.tensor, kHandSizes.tensor);
  EXPECT_EQ(sizes.together, kHandSizes.together);
  EXPECT_EQ(sizes.together_each, kHandSizes.together_each);
  EXPECT_EQ(sizes.result, kHandSizes.result);
  EXPECT_EQ(sizes.submit, kHandSizes.submit);
  EXPECT_EQ(sizes.token_made, kHandSizes.token_made);
  EXPECT_EQ(sizes.done, kHandSizes.done);
  EXPECT_EQ(sizes.done_token, kHandSizes.done_token);
  EXPECT_EQ(sizes.release, kHandSizes.release);
}

}  // namespace
}  // namespace lingua
