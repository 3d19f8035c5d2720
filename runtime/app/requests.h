#pragma once
// From the prompts and numbers of a request to a workload and its requests.
//
// Errors: UsageError and InputError that name the option or file.

#include <optional>
#include <string>
#include <vector>

#include "runtime/app/study.h"
#include "runtime/device/message.h"
#include "runtime/engine/client.h"
#include "runtime/text/chat.h"

namespace lingua {

// Refuses --prompt-tokens that are none of the model's, as far as its config tells: before it is read.
void check_prompt_tokens(const WorkloadOptions& workload, const std::string& model);

// Fills in prompts, tokenizer and stop tokens, as far as the options ask for them.
void read_prompts(const TextOptions& text, const WorkloadOptions& workload,
                  const std::string& model, Study& study);

// The tokens that end an answer to whatever prompt: what the model's files say, else its tokenizer.
std::vector<TokenId> stop_tokens_of(const std::string& model, const Study& study);

// Takes the stop strings of the options and what ends a turn of the chat template, if there is one,
// with the tokenizer's end of sequence. REQUIRES: the tokenizer is open.
void add_stops(const TextOptions& text, const std::optional<ChatForm>& form, Study& study);

// The chat template that is asked for, which the audience is told; nothing when none is.
std::optional<ChatForm> open_chat_form(const TextOptions& options, const std::string& model,
                                       const Audience& audience);

// What of it the model can have; tells what it cannot.
Scheduling scheduling_by(const Scheduling& asked, const Study& study);

Workload workload_by(const WorkloadOptions& options, const Study& study);

// How many requests: --requests, or as many as there are prompts, or lengths of seeded ones, if that is
// more. Request r takes prompt r, modulo their number.
int request_count(const WorkloadOptions& options, const Study& study);

// The requests of the workload: given or seeded prompts, or seeded inputs of a single pass.
// `with_data` false leaves the contents of a single pass's inputs out.
std::vector<Submit> make_requests(const WorkloadOptions& options, const Sampling& sampling,
                                  const Study& study, bool with_data);

// Gives them to a client, at the times of the trace where there is one.
void submit_by(const Study& study, std::vector<Submit> requests, ClientJob& job);

// A request for one prompt. Its draws are seeded by the options' seed and its number.
Submit make_request(RequestId id, const std::vector<TokenId>& prompt, std::int64_t max_tokens,
                    const Sampling& sampling, const Study& study);

}  // namespace lingua
