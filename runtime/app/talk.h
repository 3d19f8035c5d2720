#pragma once
// What `chat` and `serve` share: a language model that is spread over workers for whoever comes.
//
// Errors: those of the parts; each names its option, file and field.

#include <optional>

#include "runtime/app/real_world.h"
#include "runtime/app/study.h"
#include "runtime/text/chat.h"

namespace lingua {

struct TalkOptions {
  TalkOptions() { study.workload.max_tokens = 256; }

  StudyOptions study;
  RealOptions real;
  std::int64_t context = 0;  // 0: 2048, or what the model was trained on if that is less
};

void visit_talk(TalkOptions& options, SettingVisitor& visitor);
void visit_longest_answer(std::int64_t& tokens, const std::string& help, SettingVisitor& visitor);

struct Talk {
  Study study;  // planned, for a prompt and an answer that fill the context
  std::optional<ChatForm> form;
  std::int64_t context = 0;
};

// An empty chat template stands for the model's own where it has one.
Talk open_talk(const TalkOptions& options, const Audience& audience);

}  // namespace lingua
