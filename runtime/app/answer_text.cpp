#include "runtime/app/answer_text.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/base/errors.h"

namespace lingua {

AnswerText answer_text(const Tokenizer* tokenizer, const std::vector<std::string>& stop_strings,
                       const std::vector<TokenId>& stop_tokens,
                       const std::vector<TokenId>& tokens) {
  AnswerText answer;
  answer.tokens = tokens;
  const bool made = std::find(tokens.begin(), tokens.end(), kNoToken) == tokens.end();
  if (tokenizer != nullptr && made) {
    TextStream stream(*tokenizer, stop_strings);
    answer.tokens.clear();
    for (const TokenId token : tokens) {
      answer.tokens.push_back(token);
      answer.text += stream.push(token);
      if (stream.stopped()) break;
    }
    answer.text += stream.finish();
    answer.stopped = stream.stopped();
  }
  if (!answer.tokens.empty() && std::find(stop_tokens.begin(), stop_tokens.end(),
                                          answer.tokens.back()) != stop_tokens.end()) {
    answer.stopped = true;
  }
  return answer;
}

AnswerStreams::AnswerStreams(const Tokenizer& tokenizer, std::vector<std::string> stop_strings,
                             Print print)
    : tokenizer_(tokenizer), stop_strings_(std::move(stop_strings)), print_(std::move(print)) {}

bool AnswerStreams::take(const TokenMade& token) {
  if (token.token == kNoToken) return true;
  TextStream& stream = streams_.try_emplace(token.request, tokenizer_, stop_strings_).first->second;
  const std::string text = stream.push(token.token);
  if (!text.empty()) print_(token.request, text);
  return !stream.stopped();
}

void AnswerStreams::finish(RequestId request) {
  const auto place = streams_.find(request);
  if (place == streams_.end()) return;
  const std::string text = place->second.finish();
  if (!text.empty()) print_(request, text);
  streams_.erase(place);
}

void end_at_stop_strings(const std::vector<std::string>& stop_strings, const Tokenizer* tokenizer,
                         ClientJob& job) {
  if (stop_strings.empty()) return;
  LINGUA_CHECK(tokenizer != nullptr);
  const auto streams = std::make_shared<AnswerStreams>(*tokenizer, stop_strings,
                                                       [](RequestId, const std::string&) {});
  job.on_token = [streams](const TokenMade& token) { return streams->take(token); };
}

std::vector<double> class_scores(const Tensor& logits, ClassScore score) {
  if (!logits.has_data()) return {};
  LINGUA_CHECK(logits.dtype == DType::kFloat32);
  const auto* values = reinterpret_cast<const float*>(logits.data.get());
  std::vector<double> scores(values, values + logits.elements());
  if (score == ClassScore::kRaw) return scores;
  if (score == ClassScore::kEach) {
    for (double& value : scores) value = 1 / (1 + std::exp(-value));
    return scores;
  }
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& share : scores) sum += share = std::exp(share - largest);
  for (double& share : scores) share /= sum;
  return scores;
}

}  // namespace lingua
