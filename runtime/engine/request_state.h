#pragma once
// A request as its header sees it: the prompt, the tokens so far, and which step comes next. Tokens that an
// earlier epoch has made are to the first steps as if they stood in the prompt.
//
// Pure bookkeeping: no device, no clock of its own.

#include <vector>

#include "runtime/device/message.h"

namespace lingua {

class RequestState {
 public:
  // REQUIRES: check_submit accepts it.
  // A prompt is cut as `scheduling` says for a plan of so many stages, where there is a KV cache.
  RequestState(Submit submit, const std::vector<TensorSpec>& model_inputs, Seconds start,
               const Scheduling& scheduling = {}, int stages = 1);

  RequestId id() const { return submit_.request; }
  bool generates() const { return submit_.max_tokens > 0; }
  std::int64_t capacity() const { return generates() ? submit_.capacity : 0; }
  std::int64_t step_index() const { return step_index_; }
  Step step() const;
  // Of prompt and answer the first tokens, whose states every device has.
  std::int64_t cached() const;
  // The next step takes the prompt further and waits for no result of this one.
  bool prompt_goes_on() const { return step_index_ + 1 < pieces_; }
  // Goes on to it. REQUIRES: prompt_goes_on().
  void next_piece() { ++step_index_; }
  // Another piece may begin: so few of them are under way (schedule/).
  bool has_room_for_piece() const { return step_index_ + 1 - pieces_done_ < most_pieces_; }
  // All stages have run a piece that is not the last; false when no such piece is under way.
  bool piece_done(std::int64_t step_index);
  // One tensor per model input for the current step.
  std::vector<Tensor> step_inputs() const;
  const Sampling& sampling() const { return submit_.sampling; }
  // What the tailer has to be told for the repetition penalty: with step 0 the last tokens so far,
  // as many as it looks at. Those that follow it chooses itself.
  std::vector<TokenId> recent() const;
  Seconds start() const { return start_; }
  Seconds step_start() const { return step_start_; }
  const std::vector<TokenId>& tokens() const { return tokens_; }

  // Of a request that has ended.
  Ending ending() const { return ending_; }

  // The next result is the last one.
  void cancel() { cancelled_ = true; }

  // Takes the result of the current step; returns true when the request has ended. Otherwise the
  // next step starts `now`.
  bool take(TokenId token, Seconds now);

 private:
  Step piece(std::int64_t index) const;

  Submit submit_;
  std::int64_t first_tokens_ = 1;  // n of the whole prompt, without those whose states are there
  std::int64_t most_pieces_ = 1;   // under way
  std::int64_t pieces_done_ = 0;
  std::int64_t pieces_ = 1;  // steps that the prompt takes
  std::vector<std::int64_t>
      prompt_;                   // of a generating request, and the tokens that were made before
  std::vector<TokenId> tokens_;  // generated, those among them
  std::int64_t step_index_ = 0;
  bool cancelled_ = false;
  Ending ending_ = Ending::kLength;
  Seconds start_;
  Seconds step_start_;
};

// The shape of its first step, as far as its inputs are those of the model.
Step first_step(const Submit& submit, const std::vector<TensorSpec>& model_inputs);

// Checks a request that came from outside. Errors: RequestRefused with what is wrong.
void check_submit(const Submit& submit, const std::vector<TensorSpec>& model_inputs);

}  // namespace lingua
