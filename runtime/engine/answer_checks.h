#pragma once
// What devices say of their requests, held against what they were asked.
//
// Messages come from the network: before anyone reads a token or a tensor, it has the number, dtype,
// shape and contents that the deployment says. Each function gives what is wrong, in words that
// follow "NAME answers nonsense: "; empty when nothing is.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/engine/deployment.h"

namespace lingua {

class AnswerChecks {
 public:
  // REQUIRES: the deployment's segmentation outlives it.
  explicit AnswerChecks(const Deployment& deployment);

  // Its devices may write rows of the event log.
  void deployed(const Plan& plan);
  void submitted(const Submit& submit);
  // It begins again in another epoch, with the tokens that it has.
  void resumed(RequestId request);
  void cancelled(RequestId request);
  void refused(RequestId request);

  // Of a request under way: its tokens so far, and how it ended where they are all.
  const std::vector<TokenId>& tokens(RequestId request) const;
  std::optional<Ending> ending(RequestId request) const;

  // Takes a token, which must be the next of a request that goes on.
  std::string take(const TokenMade& token);
  // Takes the end of a request, which must hold what its tokens said, or the outputs of its pass.
  std::string take(const Done& done);

  // A row of the event log that `from` may have written by `now`.
  bool plausible(const EventRow& row, const DeviceName& from, Seconds now) const;
  // As many as one device may have written so far, with much to spare.
  double most_rows() const;

 private:
  struct Request {
    Step step;
    std::int64_t max_tokens = 0;
    std::vector<TokenId> stop_tokens;
    std::vector<TokenId> tokens;
    bool cancelled = false;
  };

  double most_steps(const Request& request) const;
  const TensorSpec* spec_of(ValueId value) const;
  std::string wrong_outputs(const Request& request, const std::vector<Tensor>& outputs) const;
  std::string wrong_end(const Request& request, const Done& done) const;

  const Segmentation& segmentation_;
  const bool with_data_;
  std::set<DeviceName> devices_;
  std::int64_t vocabulary_ = 0;            // 0: not known
  std::map<RequestId, Request> requests_;  // under way
  RequestId latest_ = -1;
  double steps_ = 0;  // that were asked for, at the most
};

// How an answer of these tokens has ended; nothing where more of them are to come.
std::optional<Ending> ending_of(const std::vector<TokenId>& tokens,
                                const std::vector<TokenId>& stop_tokens, std::int64_t max_tokens);

// Whether a tensor is what its spec says for a step, with contents where `with_data`. Empty when it
// is; else "dtype fp32 instead of bf16" and the like.
std::string wrong_tensor(const Tensor& tensor, const TensorSpec& spec, const Step& step,
                         bool with_data);

}  // namespace lingua
