#pragma once
// The chat template that a model's files bring, and the special tokens that it may write.
//
// Order, as transformers 4.57: chat_template.jinja (the default one) and
// additional_chat_templates/NAME.jinja, then chat_template of tokenizer_config.json (a text, or
// several by name), then that of chat_template.json; of a GGUF file tokenizer.chat_template and
// tokenizer.chat_template.NAME. Of several "default" is taken; "tool_use" would be for a conversation
// with tools, of which there are none here.
// Errors: InputError naming file and field; where there is none, what is looked for.

#include <memory>
#include <string>
#include <vector>

#include "runtime/text/jinja/template.h"

namespace lingua {

struct OwnTemplate {
  jinja::Template source;
  jinja::Entries tokens;  // bos_token, eos_token, ... as the template's variables
};

// `model` is a model folder or a GGUF file.
std::shared_ptr<const OwnTemplate> load_own_template(const std::string& model,
                                                     const std::string& name = "default");
std::vector<std::string> own_template_names(const std::string& model);

}  // namespace lingua
