#pragma once
// A conversation as the prompt that a model was trained on.
//
// Templates: of the families that this project builds (Gemma, Llama 2 and 3, TinyLlama and Zephyr,
// ChatML of Qwen and SmolLM2, Mistral). A model's own template, Jinja source, is recognised by its
// marks; Jinja itself is not interpreted: tools, images, thoughts and dates that some templates
// write are left out. The templates "qwen2", "qwen2.5" and "smollm2" are "chatml" with the system
// message that these models expect when a conversation has none. "plain" is for models that were not
// trained to chat: a dialogue as it is written down, "User: ...", "Assistant: ...".

#include <string>
#include <vector>

#include "runtime/text/tokenizer.h"

namespace lingua {

struct ChatMessage {
  std::string role;  // "system", "user", "assistant"
  std::string text;
};

// Names that --chat-template takes.
const std::vector<std::string>& chat_templates();

// The template that fits the tokenizer: by the marks in its Jinja source, or by its special tokens.
// Errors: InputError when none fits, with the names of those there are.
std::string recognise_chat_template(const Tokenizer& tokenizer);

// The conversation so far and the beginning of the assistant's turn, as ids; the text of messages is
// never read as special tokens. Errors: UsageError for an unknown name, InputError for a role that
// the template has no place for.
std::vector<TokenId> chat_prompt(const std::string& chat_template,
                                 const std::vector<ChatMessage>& messages,
                                 const Tokenizer& tokenizer);

// Tokens that end the assistant's turn.
std::vector<TokenId> turn_end_tokens(const std::string& chat_template, const Tokenizer& tokenizer);
// Text that does, and is no part of it.
std::vector<std::string> turn_end_strings(const std::string& chat_template);

}  // namespace lingua
