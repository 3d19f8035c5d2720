#include "runtime/engine/shared_frames.h"

#include <map>
#include <numeric>
#include <utility>

namespace lingua {
namespace {

double contents(const std::vector<Tensor>& tensors) {
  return std::accumulate(tensors.begin(), tensors.end(), 0.0, [](double sum, const Tensor& tensor) {
    return sum + static_cast<double>(tensor.bytes());
  });
}

bool may_share(const MessageBody& body) {
  // What a repetition penalty looks at may be as long as a prompt.
  if (const auto* m = std::get_if<Activations>(&body); m != nullptr && !m->recent.empty())
    return false;
  if (const auto* m = std::get_if<Activations>(&body))
    return contents(m->tensors) <= kMostSharedBytes;
  if (const auto* m = std::get_if<StepResult>(&body))
    return contents(m->outputs) <= kMostSharedBytes;
  return false;
}

void put(MessageBody body, Together& together) {
  together.epoch = epoch_of(body).value_or(0);
  if (auto* m = std::get_if<Activations>(&body)) {
    together.activations.push_back(std::move(*m));
  } else if (auto* result = std::get_if<StepResult>(&body)) {
    together.results.push_back(std::move(*result));
  }
}

// One after another in the place of the first.
void join(Letter& first, MessageBody next) {
  if (!std::holds_alternative<Together>(first.body)) {
    Together together;
    put(std::move(first.body), together);
    first.body = std::move(together);
  }
  put(std::move(next), std::get<Together>(first.body));
}

}  // namespace

void share_frames(std::vector<Letter>& letters) {
  std::vector<Letter> sent;
  std::map<DeviceName, std::size_t> open;  // where in `sent` the last letter to a receiver stands
  for (Letter& letter : letters) {
    if (!may_share(letter.body)) {
      open.erase(letter.to);
      sent.push_back(std::move(letter));
      continue;
    }
    const auto last = open.find(letter.to);
    if (last != open.end() && epoch_of(sent[last->second].body) == epoch_of(letter.body)) {
      join(sent[last->second], std::move(letter.body));
      continue;
    }
    open[letter.to] = sent.size();
    sent.push_back(std::move(letter));
  }
  letters = std::move(sent);
}

}  // namespace lingua
