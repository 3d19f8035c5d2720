#include "runtime/http/answering.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

constexpr std::int64_t kUsualCompletion = 16;  // tokens, as OpenAI's

// Tokenizers and templates are used by one thread at a time.
std::mutex& text_mutex() {
  static std::mutex mutex;
  return mutex;
}

std::vector<std::vector<TokenId>> ids_of(const ApiRequest& request, const ServedModel& model) {
  const std::lock_guard lock(text_mutex());
  try {
    if (!request.chat) {
      std::vector<std::vector<TokenId>> ids = request.token_prompts;
      for (const std::string& text : request.prompts) {
        if (text.empty()) throw ApiError(400, "the prompt is empty", "prompt");
        ids.push_back(model.tokenizer->encode(text, true, false));
      }
      return ids;
    }
    if (!model.form) {
      throw ApiError(400,
                     fmt::format("'{}' has no chat template; use /v1/completions, or start the "
                                 "service with `chat-template`",
                                 model.id));
    }
    return {chat_prompt(*model.form, request.messages, *model.tokenizer)};
  } catch (const Error& error) {
    throw ApiError(400, error.what(), request.chat ? "messages" : "prompt");
  }
}

}  // namespace

Prompts prompts_of(const ApiRequest& request, const ServedModel& model) {
  Prompts prompts;
  prompts.ids = ids_of(request, model);
  for (const std::vector<TokenId>& ids : prompts.ids) {
    const auto size = static_cast<std::int64_t>(ids.size());
    if (ids.empty()) throw ApiError(400, "the prompt is empty", "prompt");
    const TokenId largest = *std::max_element(ids.begin(), ids.end());
    if (largest >= model.vocabulary) {
      throw ApiError(400, fmt::format("token id {}; the model has {}", largest, model.vocabulary),
                     "prompt");
    }
    const std::int64_t room = model.context - size;
    const std::int64_t usual =
        std::clamp<std::int64_t>(room, 1, request.chat ? model.max_tokens : kUsualCompletion);
    const std::int64_t wanted = request.max_tokens.value_or(usual);
    if (wanted > room) {
      throw ApiError(
          400,
          fmt::format("the prompt has {} tokens and asks for {} more; this service keeps "
                      "{} in all (`context`)",
                      size, wanted, model.context),
          request.chat ? "messages" : "prompt", "context_length_exceeded");
    }
    prompts.max_tokens.push_back(wanted);
  }
  return prompts;
}

Answering::Answering(const ServedModel& model, const ApiRequest& request, const Prompts& prompts,
                     std::unique_ptr<Mailbox> mailbox)
    : mailbox_(std::move(mailbox)) {
  std::vector<std::string> stops = model.stop_strings;
  stops.insert(stops.end(), request.stop.begin(), request.stop.end());
  for (std::size_t i = 0; i < prompts.ids.size(); ++i) {
    job_.requests.push_back(model.make_request(static_cast<RequestId>(i), prompts.ids[i],
                                               prompts.max_tokens[i], request.sampling));
    streams_.emplace_back(*model.tokenizer, stops);
    usage_.prompt_tokens += static_cast<std::int64_t>(prompts.ids[i].size());
  }
  job_.on_token = [this](const TokenMade& token) { return take(token); };
  job_.on_done = [this](const Done& done) { finish(done); };
  job_.on_refused = [this](const Refused& refused) {
    if (!failure_) failure_.emplace(400, "the cluster refuses this request: " + refused.reason);
  };
  loop_.emplace(*mailbox_, job_);
}

Answering::~Answering() {
  if (ended_) return;
  loop_->hang_up();
  while (loop_->turn()) {
  }
}

bool Answering::turn(Seconds patience) {
  if (ended_) return false;
  ended_ = !loop_->turn(mailbox_->now() + patience);
  if (ended_ && !failure_ && std::move(*loop_).result().stopped)
    failure_.emplace(503, "the service lost a device or ended; try again", "", "unavailable");
  return !ended_ && !failure_;
}

bool Answering::take(const TokenMade& token) {
  const auto choice = static_cast<std::size_t>(token.request);
  TextStream& stream = streams_[choice];
  if (stream.stopped()) return false;
  ++usage_.completion_tokens;
  std::string text = stream.push(token.token);
  if (!text.empty()) pieces_.push_back({choice, std::move(text), ""});
  return !stream.stopped();
}

void Answering::finish(const Done& done) {
  const auto choice = static_cast<std::size_t>(done.request);
  TextStream& stream = streams_[choice];
  std::string text = stream.finish();
  pieces_.push_back({choice, std::move(text), finish_reason(done.ending, stream.stopped())});
}

}  // namespace lingua
