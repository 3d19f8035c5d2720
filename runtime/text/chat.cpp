#include "runtime/text/chat.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/own_template.h"
#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

namespace lingua {
namespace {

// Puts a prompt together.
class Prompt {
 public:
  explicit Prompt(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void text(const std::string& text) { parts_.push_back({kNoToken, text}); }
  // A token by name; its name where the tokenizer has no such token.
  void token(const std::string& name) {
    if (const auto id = tokenizer_.special(name)) {
      parts_.push_back({*id, ""});
    } else {
      text(name);
    }
  }
  void begin() {
    if (const auto id = tokenizer_.bos()) parts_.push_back({*id, ""});
  }
  std::vector<TokenId> ids() const { return tokenizer_.encode_parts(parts_); }

 private:
  const Tokenizer& tokenizer_;
  std::vector<PromptPart> parts_;
};

// Without white space around it, as Python's strip().
std::string trimmed(const std::string& text) {
  std::size_t begin = text.size();
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Piece piece = utf8_piece(text, at);
    const bool separator = piece.code_point >= 0x1C && piece.code_point <= 0x1F;
    if (!separator && !is_white_space(piece.code_point)) {
      begin = std::min(begin, at);
      end = at + piece.bytes;
    }
    at += piece.bytes;
  }
  return begin < end ? text.substr(begin, end - begin) : "";
}

using Messages = std::vector<ChatMessage>;

[[noreturn]] void refuse_role(const Messages& messages, std::size_t index,
                              const std::string& accepted) {
  throw InputError(fmt::format("message {} has the role {}; {}", index + 1,
                               lingua::quoted(messages[index].role), accepted));
}

// The text of a system message that comes first, and where the others begin. They must be of the
// user and the assistant in turn.
std::size_t check_turns(const Messages& messages, bool system_allowed, std::string* system) {
  const bool has_system = !messages.empty() && messages[0].role == "system";
  if (has_system && !system_allowed) {
    refuse_role(messages, 0, "this template has user and assistant, in turn");
  }
  if (has_system) *system = messages[0].text;
  const std::size_t first = has_system ? 1 : 0;
  for (std::size_t i = first; i < messages.size(); ++i) {
    const char* const expected = (i - first) % 2 == 0 ? "user" : "assistant";
    if (messages[i].role != expected) {
      refuse_role(messages, i, fmt::format("here comes {}, as the two take turns", expected));
    }
  }
  return first;
}

void check_roles(const Messages& messages) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const std::string& role = messages[i].role;
    if (role != "system" && role != "user" && role != "assistant") {
      refuse_role(messages, i, "system, user and assistant are accepted");
    }
  }
}

void gemma(const Messages& messages, Prompt& prompt) {
  std::string system;
  const std::size_t first = check_turns(messages, true, &system);
  prompt.begin();
  for (std::size_t i = first; i < messages.size(); ++i) {
    prompt.token("<start_of_turn>");
    prompt.text(messages[i].role == "user" ? "user\n" : "model\n");
    if (i == first && first == 1) prompt.text(system + "\n\n");
    prompt.text(trimmed(messages[i].text));
    prompt.token("<end_of_turn>");
    prompt.text("\n");
  }
  prompt.token("<start_of_turn>");
  prompt.text("model\n");
}

void chatml(const Messages& messages, const std::string& default_system, Prompt& prompt) {
  check_roles(messages);
  const auto turn = [&](const std::string& role, const std::string& text) {
    prompt.token("<|im_start|>");
    prompt.text(role + "\n" + text);
    prompt.token("<|im_end|>");
    prompt.text("\n");
  };
  const bool has_system = !messages.empty() && messages[0].role == "system";
  if (!has_system && !default_system.empty()) turn("system", default_system);
  for (const ChatMessage& message : messages) turn(message.role, message.text);
  prompt.token("<|im_start|>");
  prompt.text("assistant\n");
}

void llama2(const Messages& messages, Prompt& prompt) {
  std::string system;
  const std::size_t first = check_turns(messages, true, &system);
  for (std::size_t i = first; i < messages.size(); ++i) {
    if (messages[i].role == "assistant") {
      prompt.text(fmt::format(" {} ", trimmed(messages[i].text)));
      prompt.token("</s>");
      continue;
    }
    const bool with_system = i == first && first == 1;
    prompt.begin();
    prompt.token("[INST]");
    prompt.text(" ");
    prompt.text(
        trimmed((with_system ? "<<SYS>>\n" + system + "\n<</SYS>>\n\n" : "") + messages[i].text));
    prompt.text(" ");
    prompt.token("[/INST]");
  }
}

void llama3(const Messages& messages, Prompt& prompt) {
  check_roles(messages);
  prompt.begin();
  const auto header = [&](const std::string& role) {
    prompt.token("<|start_header_id|>");
    prompt.text(role);
    prompt.token("<|end_header_id|>");
    prompt.text("\n\n");
  };
  for (const ChatMessage& message : messages) {
    header(message.role);
    prompt.text(trimmed(message.text));
    prompt.token("<|eot_id|>");
  }
  header("assistant");
}

void zephyr(const Messages& messages, Prompt& prompt) {
  check_roles(messages);
  for (const ChatMessage& message : messages) {
    prompt.token(fmt::format("<|{}|>", message.role));
    prompt.text("\n" + message.text);
    prompt.token("</s>");
    prompt.text("\n");
  }
  prompt.token("<|assistant|>");
  prompt.text("\n");
}

void mistral(const Messages& messages, Prompt& prompt) {
  std::string none;
  check_turns(messages, false, &none);
  prompt.begin();
  for (const ChatMessage& message : messages) {
    if (message.role == "user") {
      prompt.token("[INST]");
      prompt.text(fmt::format(" {} ", message.text));
      prompt.token("[/INST]");
    } else {
      prompt.text(message.text);
      prompt.token("</s>");
    }
  }
}

void plain(const Messages& messages, Prompt& prompt) {
  std::string system;
  const std::size_t first = check_turns(messages, true, &system);
  prompt.begin();
  if (first == 1) prompt.text(trimmed(system) + "\n\n");
  for (std::size_t i = first; i < messages.size(); ++i) {
    const char* const who = messages[i].role == "user" ? "User" : "Assistant";
    prompt.text(fmt::format("{}: {}\n", who, trimmed(messages[i].text)));
  }
  prompt.text("Assistant:");
}

struct Template {
  std::string name;
  void (*write)(const Messages& messages, Prompt& prompt);
  std::vector<std::string> ends;     // tokens that end the assistant's turn
  std::vector<std::string> strings;  // text that does
};

const std::vector<Template>& templates() {
  static const std::vector<std::string> kImEnd = {"<|im_end|>"};
  static const std::vector<Template> kTemplates = {
      {"gemma", gemma, {"<end_of_turn>"}, {}},
      {"chatml", [](const Messages& m, Prompt& p) { chatml(m, "", p); }, kImEnd, {}},
      {"qwen2",
       [](const Messages& m, Prompt& p) { chatml(m, "You are a helpful assistant.", p); },
       kImEnd,
       {}},
      {"qwen2.5",
       [](const Messages& m, Prompt& p) {
         chatml(m, "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.", p);
       },
       kImEnd,
       {}},
      {"smollm2",
       [](const Messages& m, Prompt& p) {
         chatml(m, "You are a helpful AI assistant named SmolLM, trained by Hugging Face", p);
       },
       kImEnd,
       {}},
      {"llama2", llama2, {"</s>"}, {}},
      {"llama3", llama3, {"<|eot_id|>", "<|end_of_text|>"}, {}},
      {"zephyr", zephyr, {"</s>"}, {}},
      {"mistral", mistral, {"</s>"}, {}},
      {"plain", plain, {}, {"\nUser:"}}};
  return kTemplates;
}

const Template& template_of(const std::string& name) {
  for (const Template& known : templates()) {
    if (known.name == name) return known;
  }
  throw BugError(fmt::format("no chat template {}", name));
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string rendered(const ChatForm& form, const Messages& messages, bool answer_follows) {
  jinja::List list;
  for (const ChatMessage& message : messages) {
    list.push_back(jinja::Value::dict({{"role", message.role}, {"content", message.text}}));
  }
  jinja::Entries variables = form.own->tokens;
  variables.emplace_back("messages", jinja::Value::list(std::move(list)));
  variables.emplace_back("tools", jinja::Value());
  variables.emplace_back("documents", jinja::Value());
  variables.emplace_back("add_generation_prompt", jinja::Value(answer_follows));
  return form.own->source.render(variables, form.now);
}

// The special token that the template writes behind an answer.
std::optional<TokenId> token_after_answer(const ChatForm& form, const Tokenizer& tokenizer) {
  const std::string answer = "What the assistant says.";
  std::string text;
  try {
    text = rendered(form, {{"user", "Hello"}, {"assistant", answer}}, false);
  } catch (const InputError&) {
    return std::nullopt;  // a template that takes no such conversation ends no such turn
  }
  const std::size_t at = text.rfind(answer);
  if (at == std::string::npos) return std::nullopt;
  const std::string rest = trimmed(text.substr(at + answer.size()));
  const std::vector<TokenId> ids = tokenizer.encode(rest, false, true);
  if (ids.empty() || !tokenizer.token_bytes(ids[0]).empty()) return std::nullopt;
  return ids[0];
}

}  // namespace

const std::vector<std::string>& chat_templates() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const Template& known : templates()) names.push_back(known.name);
    return names;
  }();
  return kNames;
}

ChatForm chat_form(const std::string& name, const std::string& model, const std::tm& now) {
  if (name == "auto") return {"", load_own_template(model), now};
  if (contains(chat_templates(), name)) return {name, nullptr, now};
  const std::vector<std::string> own =
      std::filesystem::exists(model) ? own_template_names(model) : std::vector<std::string>();
  if (contains(own, name)) return {"", load_own_template(model, name), now};
  throw UsageError(
      fmt::format("`chat-template` {}: accepted are auto, {}{}", lingua::quoted(name),
                  fmt::join(chat_templates(), ", "),
                  own.empty() ? "" : fmt::format(" and the model's own {}", fmt::join(own, ", "))));
}

std::string described(const ChatForm& form) {
  return form.own ? fmt::format("the model's own ({})", form.own->source.name())
                  : fmt::format("the built-in {}", form.name);
}

std::vector<TokenId> chat_prompt(const ChatForm& form, const std::vector<ChatMessage>& messages,
                                 const Tokenizer& tokenizer) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    check_utf8(messages[i].text, fmt::format("message {}", i + 1));
  }
  if (form.own) return tokenizer.encode(rendered(form, messages, true), false, true);
  Prompt prompt(tokenizer);
  template_of(form.name).write(messages, prompt);
  return prompt.ids();
}

std::vector<TokenId> turn_end_tokens(const ChatForm& form, const Tokenizer& tokenizer) {
  std::vector<TokenId> ids;
  if (form.own) {
    if (const auto id = token_after_answer(form, tokenizer)) ids.push_back(*id);
    return ids;
  }
  for (const std::string& name : template_of(form.name).ends) {
    if (const auto id = tokenizer.special(name)) ids.push_back(*id);
  }
  return ids;
}

std::vector<std::string> turn_end_strings(const ChatForm& form) {
  if (form.own) return {};
  return template_of(form.name).strings;
}

}  // namespace lingua
