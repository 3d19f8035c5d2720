#pragma once
// One request of the API on its way through the cluster: prompts in, pieces of text out.
//
// It is a client of its own, with a mailbox of its own. Threads: one.

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/client.h"
#include "runtime/http/api.h"
#include "runtime/text/text_stream.h"

namespace lingua {

// What does not change while a model is served.
struct ServedModel {
  std::string id;  // its name in the API
  const Tokenizer* tokenizer = nullptr;
  std::optional<ChatForm> form;  // none: it does not chat
  std::vector<std::string> stop_strings;
  std::int64_t context = 0;     // tokens of prompt and answer
  std::int64_t vocabulary = 0;  // ids
  std::int64_t max_tokens = 0;  // of a chat that does not say
  Sampling sampling;            // of requests that do not say
  std::function<Submit(RequestId, const std::vector<TokenId>&, std::int64_t max_tokens,
                       const Sampling&)>
      make_request;
};

// The prompts of a request, as token ids, and for how many more each may ask. Errors: ApiError for what
// the model or its context does not take. Threads: any.
struct Prompts {
  std::vector<std::vector<TokenId>> ids;
  std::vector<std::int64_t> max_tokens;
};
Prompts prompts_of(const ApiRequest& request, const ServedModel& model);

class Answering {
 public:
  // REQUIRES: the model outlives it.
  Answering(const ServedModel& model, const ApiRequest& request, const Prompts& prompts,
            std::unique_ptr<Mailbox> mailbox);
  ~Answering();  // hangs up and waits for the end
  Answering(const Answering&) = delete;
  Answering& operator=(const Answering&) = delete;

  // Waits until something has come, at most so long. False when all has been answered, or nothing more is.
  bool turn(Seconds patience);
  // What has come since the last call, in order.
  std::vector<ApiPiece> pieces() { return std::exchange(pieces_, {}); }
  // Why there is no answer, or no more of it; empty where there is.
  const std::optional<ApiError>& failure() const { return failure_; }
  bool has_begun() const { return usage_.completion_tokens > 0; }
  const ApiUsage& usage() const { return usage_; }

 private:
  bool take(const TokenMade& token);
  void finish(const Done& done);

  std::unique_ptr<Mailbox> mailbox_;
  ClientJob job_;
  std::vector<TextStream> streams_;
  std::vector<ApiPiece> pieces_;
  std::optional<ApiError> failure_;
  ApiUsage usage_;
  std::optional<ClientLoop> loop_;
  bool ended_ = false;
};

}  // namespace lingua
