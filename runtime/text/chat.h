#pragma once
// A conversation as the prompt that a model was trained on.
//
// "auto" is the model's own template, rendered (own_template.h, jinja/template.h): its text is encoded
// as transformers' apply_chat_template does, special tokens in it included, wherever they come from.
// Templates by name are for models that bring none: of the families that this project builds (Gemma,
// Llama 2 and 3, TinyLlama and Zephyr, ChatML of Qwen and SmolLM2, Mistral); there the text of
// messages is never read as special tokens. "qwen2", "qwen2.5" and "smollm2" are "chatml" with the
// system message that these models expect when a conversation has none. "plain" is for models that
// were not trained to chat: a dialogue as it is written down, "User: ...", "Assistant: ...".

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "runtime/text/tokenizer.h"

namespace lingua {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string text;
};

struct OwnTemplate;

// How conversations are written for a model.
struct ChatForm {
  std::string name;                        // of a built-in template, or empty:
  std::shared_ptr<const OwnTemplate> own;  // the model's
  std::tm now = {};                        // the date that some templates write
};

// Names that a chat template may have beside "auto".
const std::vector<std::string>& chat_templates();

// `name` is one of them, "auto", or that of another of the model's own templates; `model` is a model
// folder or a GGUF file. Errors: UsageError for an unknown name; InputError when the model has no
// template or one that is not understood.
ChatForm chat_form(const std::string& name, const std::string& model, const std::tm& now);
// "the model's own (FILE)", "the built-in zephyr".
std::string described(const ChatForm& form);

// The conversation so far and the beginning of the assistant's turn, as ids. Errors: InputError for
// a role or an order that the template refuses.
std::vector<TokenId> chat_prompt(const ChatForm& form, const std::vector<ChatMessage>& messages,
                                 const Tokenizer& tokenizer);

// Tokens that end the assistant's turn; of a model's own template the one that it writes there.
std::vector<TokenId> turn_end_tokens(const ChatForm& form, const Tokenizer& tokenizer);
// Text that does, and is no part of it.
std::vector<std::string> turn_end_strings(const ChatForm& form);

}  // namespace lingua
