#pragma once
// A conversation with a model: what was said so far, as far as the context holds it, and what is asked next.
//
// Errors: InputError for a line that is no UTF-8. Threads: one at a time.

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "runtime/app/answer_text.h"
#include "runtime/app/talk.h"
#include "runtime/engine/run.h"

namespace lingua {

// What `chat` takes.
void visit_conversation(TalkOptions& options, SettingVisitor& visitor);

class Conversation {
 public:
  // Gets each new piece of an answer, and the end of its line.
  using Print = std::function<void(const std::string& text)>;
  // REQUIRES: the talk, which has a chat template, and its options outlive it.
  Conversation(const TalkOptions& options, const Talk& talk, Print print);

  // Forgets what was said.
  void start_anew();
  // The request for what the user says next, with all that was said before it; the oldest turns go when the context
  // is full. Nothing when the line alone is too long, which the talk's audience is told.
  std::optional<Submit> ask(const std::string& line);
  // Of the answer to it. False when a stop string has come.
  bool take(const TokenMade& token) { return streams_.take(token); }
  void finish(const Done& done);
  // It is as if the line had not been, which the audience is told.
  void give_up(const Refused& refused);

  // {"user", "assistant", "tokens", "finish"} of each turn.
  const nlohmann::json& turns() const { return turns_; }

 private:
  bool forget_oldest_turn();

  const TalkOptions& options_;
  const Talk& talk_;
  const Print print_;
  AnswerStreams streams_;
  std::vector<ChatMessage> messages_;
  nlohmann::json turns_ = nlohmann::json::array();
  RequestId next_id_ = 0;
};

// "turns", the plan and what the run measured.
nlohmann::json conversation_json(const Study& study, const Conversation& conversation,
                                 const RunResult& result);

}  // namespace lingua
