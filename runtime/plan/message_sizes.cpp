#include "runtime/plan/message_sizes.h"

namespace lingua {
namespace {

constexpr RequestId kRequest = 8;
constexpr std::int64_t kStep = 3;

// One token's hidden state.
Tensor hidden_state() {
  Tensor tensor;
  tensor.dtype = DType::kFloat32;
  tensor.shape = {1, 1, 1024};
  return tensor;
}

Activations activations(std::size_t tensors) {
  Activations message;
  message.epoch = kSizedEpoch;
  message.request = kRequest;
  message.step_index = kStep;
  message.step = {1, 11};
  message.capacity = 27;
  for (std::size_t t = 0; t < tensors; ++t) {
    message.values.push_back(static_cast<ValueId>(4 + t));
    message.tensors.push_back(hidden_state());
  }
  return message;
}

Together together(std::size_t steps) {
  Together message{1, std::vector<Activations>(steps, activations(1)), {}};
  return message;
}

}  // namespace

Submit usual_submit() {
  Submit message;
  message.epoch = kSizedEpoch;
  message.request = kRequest;
  message.inputs = {make_int64_tensor(std::vector<std::int64_t>(16, 1))};
  message.max_tokens = 16;
  message.capacity = 32;
  message.sampling.seed = 1;
  return message;
}

MessageSizes message_sizes(const std::function<double(const MessageBody&)>& wire_bytes) {
  const auto contents = static_cast<double>(hidden_state().bytes());
  const double one = wire_bytes(activations(1)) - contents;
  const double two = wire_bytes(activations(2)) - 2 * contents;
  constexpr std::size_t kTokens = 32;  // more than fit a length of one byte
  const double done = wire_bytes(Done{kRequest, std::vector<TokenId>(kTokens, 1), {}});
  const double longer = wire_bytes(Done{kRequest, std::vector<TokenId>(kTokens + 1, 1), {}});
  const Submit asked = usual_submit();
  MessageSizes sizes;
  sizes.tensor = two - one;
  sizes.activations = one - sizes.tensor;
  const double pair = wire_bytes(together(2)) - 2 * wire_bytes(activations(1));
  const double triple = wire_bytes(together(3)) - 3 * wire_bytes(activations(1));
  sizes.together_each = triple - pair;
  sizes.together = pair - 2 * sizes.together_each;
  sizes.result = wire_bytes(StepResult{1, kRequest, kStep, 17, {}});
  sizes.submit = wire_bytes(asked) - static_cast<double>(asked.inputs[0].bytes());
  sizes.token_made = wire_bytes(TokenMade{kRequest, kStep, 17});
  sizes.done_token = longer - done;
  sizes.done = done - static_cast<double>(kTokens) * sizes.done_token;
  sizes.release = wire_bytes(Release{kRequest});
  sizes.encoded_bytes = wire_bytes;
  return sizes;
}

}  // namespace lingua
