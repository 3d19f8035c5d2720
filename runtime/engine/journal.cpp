#include "runtime/engine/journal.h"

#include <fmt/format.h>

#include "runtime/engine/answer_checks.h"

namespace lingua {

RequestContent content_of(const Submit& submit) {
  Hasher hasher;
  const auto add = [&](const void* data, std::size_t bytes) { hasher.update(data, bytes); };
  for (const Tensor& input : submit.inputs) {
    const std::string kind = fmt::format("{} of {} ", dtype_name(input.dtype), input.shape.size());
    add(kind.data(), kind.size());
    add(input.shape.data(), input.shape.size() * sizeof(std::int64_t));
    if (input.has_data()) add(input.data.get(), static_cast<std::size_t>(input.bytes()));
  }
  return {hasher.value(), submit.max_tokens, submit.stop_tokens,
          submit.sampling.is_greedy() ? Sampling{} : submit.sampling};
}

std::string difference(const RequestContent& there, const RequestContent& here) {
  const auto differs = [](const char* what, auto was, auto is) {
    return was == is ? "" : fmt::format("{} is {} there and {} here", what, was, is);
  };
  if (there.inputs != here.inputs) return "its prompt is another";
  const Sampling& was = there.sampling;
  const Sampling& is = here.sampling;
  for (const std::string& found :
       {differs("max_tokens", there.max_tokens, here.max_tokens),
        differs("temperature", was.temperature, is.temperature),
        differs("top_k", was.top_k, is.top_k), differs("top_p", was.top_p, is.top_p),
        differs("repetition_penalty", was.repetition_penalty, is.repetition_penalty),
        differs("repetition_window", was.repetition_window, is.repetition_window),
        differs("the seed of its draws", was.seed, is.seed)}) {
    if (!found.empty()) return found;
  }
  return there == here ? "" : "its stop tokens are others";
}

std::string RequestHistory::take(const JournalEntry& entry) {
  const RequestName& name =
      std::visit([](const auto& e) -> const RequestName& { return e.name; }, entry);
  if (const auto* begun = std::get_if<RequestBegun>(&entry)) {
    if (begun->content.max_tokens < 1) return "a request that makes no tokens";
    const bool is_new = requests_.emplace(name, Request{begun->content, {}, {}}).second;
    return is_new ? "" : "a request that has begun before";
  }
  const auto place = requests_.find(name);
  if (place == requests_.end()) return "something of a request that has not begun";
  Request& request = place->second;
  if (request.ending) return "something of a request that is over";
  const RequestContent& content = request.content;
  if (const auto* token = std::get_if<TokenNoted>(&entry)) {
    if (token->index != static_cast<std::int64_t>(request.tokens.size()))
      return "a token where another comes next";
    request.tokens.push_back(token->token);
    request.ending = ending_of(request.tokens, content.stop_tokens, content.max_tokens);
    return "";
  }
  request.ending = Ending::kCancelled;
  return "";
}

const RequestHistory::Request* RequestHistory::find(const RequestName& name) const {
  const auto place = requests_.find(name);
  return place == requests_.end() ? nullptr : &place->second;
}

}  // namespace lingua
