#pragma once
// What the tokens of an answer say, when it is whole and while it is made.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/device/message.h"
#include "runtime/engine/client.h"
#include "runtime/text/text_stream.h"
#include "runtime/text/tokenizer.h"
#include "runtime/torch/import.h"

namespace lingua {

struct AnswerText {
  std::string text;
  std::vector<TokenId> tokens;  // up to the one that completes a stop string
  bool stopped = false;         // by a stop token or a stop string; else by the number of tokens
};

// `tokenizer` may be null: there is no text then. Tokens without contents (simulated) have no text.
AnswerText answer_text(const Tokenizer* tokenizer, const std::vector<std::string>& stop_strings,
                       const std::vector<TokenId>& stop_tokens, const std::vector<TokenId>& tokens);

// Answers of one or more requests while their tokens come in.
class AnswerStreams {
 public:
  // `print` gets each new piece of text.
  using Print = std::function<void(RequestId request, const std::string& text)>;
  // REQUIRES: the tokenizer outlives it.
  AnswerStreams(const Tokenizer& tokenizer, std::vector<std::string> stop_strings, Print print);

  // False when a stop string has come: the request need not go on.
  bool take(const TokenMade& token);
  // The rest of the text.
  void finish(RequestId request);

 private:
  const Tokenizer& tokenizer_;
  std::vector<std::string> stop_strings_;
  Print print_;
  std::map<RequestId, TextStream> streams_;
};

// Lets the job's requests end when one of the stop strings comes. Without any nothing changes.
// REQUIRES: the tokenizer outlives the run; it may be null when there are no stop strings.
void end_at_stop_strings(const std::vector<std::string>& stop_strings, const Tokenizer* tokenizer,
                         ClientJob& job);

// The score of each class from a classifier's logits, float32; empty for a tensor without contents
// (simulated).
std::vector<double> class_scores(const Tensor& logits, ClassScore score);

}  // namespace lingua
