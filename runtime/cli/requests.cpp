#include "runtime/cli/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <iterator>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "runtime/text/chat.h"
#include "runtime/text/sampling.h"

namespace lingua {
namespace {

constexpr std::uint64_t kMaxPromptBytes = 16 << 20;

struct PromptText {
  std::string text;
  std::string where;  // it comes from
};

std::string read_standard_input() {
  std::string text;
  char buffer[4096];
  while (std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kMaxPromptBytes) {
      throw InputError(
          fmt::format("standard input: is longer than a prompt can be, {} bytes", kMaxPromptBytes));
    }
  }
  return text;
}

std::vector<PromptText> prompt_texts(const TextOptions& options) {
  std::vector<PromptText> texts;
  for (const std::string& prompt : options.prompts) texts.push_back({prompt, "--prompt"});
  for (const std::string& file : options.prompt_files) {
    if (file == "-") {
      texts.push_back({read_standard_input(), "standard input"});
    } else {
      texts.push_back({read_file(file, kMaxPromptBytes), file});
    }
  }
  return texts;
}

std::vector<TokenId> encode_prompt(const PromptText& prompt, const std::string& chat_template,
                                   const std::string& system, const Study& study) {
  check_utf8(prompt.text, prompt.where);
  std::vector<TokenId> ids;
  if (chat_template.empty()) {
    ids = study.tokenizer->encode(prompt.text, true, true);
  } else {
    std::vector<ChatMessage> messages;
    if (!system.empty()) messages.push_back({"system", system});
    messages.push_back({"user", prompt.text});
    ids = chat_prompt(chat_template, messages, *study.tokenizer);
  }
  if (ids.empty())
    throw InputError(fmt::format("{}: has no tokens; write some text", prompt.where));
  return ids;
}

// A text that is longer than what the model was trained on gets no sensible answer.
void check_length(const std::string& where, std::size_t prompt, std::int64_t answer,
                  const Study& study, const std::string& model) {
  const std::int64_t most = study.model.max_positions;
  const auto tokens = static_cast<std::int64_t>(prompt);
  if (most == 0 || tokens + answer <= most) return;
  throw InputError(
      fmt::format("{}: has {} tokens and may get {} more; {} was trained on at most {}", where,
                  tokens, answer, model, most));
}

void read_text(const TextOptions& options, std::int64_t max_tokens, const std::string& model,
               Study& study) {
  open_tokenizer(model, study);
  std::string chat_template = options.chat_template;
  if (chat_template == "auto") chat_template = recognise_chat_template(*study.tokenizer);
  add_stops(options, chat_template, study);
  for (const PromptText& prompt : prompt_texts(options)) {
    study.prompts.push_back(encode_prompt(prompt, chat_template, options.system, study));
    study.prompt_texts.push_back(prompt.text);
    check_length(prompt.where, study.prompts.back().size(),
                 study.model.is_language_model ? max_tokens : 0, study, model);
  }
}

// Seeded contents of one input of a single pass. Integers are taken as indices below `bound`.
Tensor random_tensor(const TensorSpec& spec, const Step& step, Rng& rng, std::int64_t bound,
                     bool with_data) {
  Tensor tensor;
  tensor.dtype = spec.dtype;
  for (const StepFunction& dim : spec.dims)
    tensor.shape.push_back(static_cast<std::int64_t>(dim.at(step)));
  if (!with_data) return tensor;
  auto memory = allocate_bytes(tensor.bytes());
  std::memset(memory.get(), 0, static_cast<std::size_t>(tensor.bytes()));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    std::byte* at = memory.get() + i * dtype_bytes(tensor.dtype);
    if (tensor.dtype == DType::kFloat32) {
      const auto value = static_cast<float>(rng.normal());
      std::memcpy(at, &value, sizeof value);
    } else if (tensor.dtype == DType::kInt64) {
      const auto value = static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(bound)));
      std::memcpy(at, &value, sizeof value);
    } else if (tensor.dtype == DType::kInt32) {
      const auto value = static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(bound)));
      std::memcpy(at, &value, sizeof value);
    } else {
      throw InputError(
          fmt::format("input '{}' is {}; seeded inputs are made for float32, int64 and int32",
                      spec.name, dtype_name(spec.dtype)));
    }
  }
  tensor.data = memory;
  return tensor;
}

// True when the model reads a sequence of tokens, whatever it gives.
bool reads_tokens(const Study& study) {
  const auto& inputs = study.segmentation.model_inputs;
  if (inputs.size() != 1 || inputs[0].dtype != DType::kInt64) return false;
  return study.model.vocabulary > 0 || !study.prompts.empty();
}

// The prompt in the shape that the model's input has for it.
Tensor prompt_tensor(const std::vector<TokenId>& prompt, const Study& study) {
  Tensor tensor = make_int64_tensor(prompt);
  tensor.shape.clear();
  const Step step{static_cast<std::int64_t>(prompt.size()), 0};
  for (const StepFunction& dim : study.segmentation.model_inputs.at(0).dims)
    tensor.shape.push_back(static_cast<std::int64_t>(dim.at(step)));
  return tensor;
}

}  // namespace

void read_prompts(const TextOptions& text, const WorkloadOptions& workload,
                  const std::string& model, Study& study) {
  check_sampling(text.sampling);
  if (!workload.ignore_eos) study.stop_tokens = study.model.stop_tokens;
  if (!workload.prompt_tokens.empty()) {
    if (text.has_prompts()) {
      throw UsageError("--prompt-tokens and --prompt both give the prompt; write one of them");
    }
    for (const TokenId token : workload.prompt_tokens) {
      if (token < 0 || (study.model.vocabulary > 0 && token >= study.model.vocabulary)) {
        throw UsageError(fmt::format("--prompt-tokens: {} is no token of {}; write 0 to {}", token,
                                     model, study.model.vocabulary - 1));
      }
    }
    study.prompts = {workload.prompt_tokens};
  }
  if (!text.chat_template.empty() && !text.has_prompts()) {
    throw UsageError("--chat-template needs a --prompt");
  }
  if (!text.system.empty() && text.chat_template.empty()) {
    throw UsageError("--system needs a --chat-template (auto: the model's own)");
  }
  if (text.needs_tokenizer()) read_text(text, workload.max_tokens, model, study);
  if (workload.ignore_eos) study.stop_tokens.clear();
}

void add_stops(const TextOptions& text, const std::string& chat_template, Study& study) {
  study.stop_strings = text.stop;
  for (const std::string& stop : text.stop) {
    check_utf8(stop, "--stop");
    if (stop.empty()) throw UsageError("--stop '': an empty text stands everywhere; write another");
  }
  std::vector<TokenId> more = study.tokenizer->stop_tokens();
  if (!chat_template.empty()) {
    for (const TokenId token : turn_end_tokens(chat_template, *study.tokenizer))
      more.push_back(token);
    for (const std::string& text_end : turn_end_strings(chat_template))
      study.stop_strings.push_back(text_end);
  }
  auto& all = study.stop_tokens;
  for (const TokenId token : more) {
    if (std::find(all.begin(), all.end(), token) == all.end()) all.push_back(token);
  }
}

Workload workload_by(const WorkloadOptions& options, const Study& study) {
  Workload workload;
  workload.prompt_tokens = study.prompts.empty() ? options.prompt_length : 0;
  for (const auto& prompt : study.prompts) {
    workload.prompt_tokens =
        std::max(workload.prompt_tokens, static_cast<std::int64_t>(prompt.size()));
  }
  workload.max_tokens = study.model.is_language_model ? options.max_tokens : 0;
  workload.kv_cache = study.model.kv_cache;
  workload.requests = request_count(options, study);
  workload.in_flight = std::min(options.in_flight, workload.requests);
  if (workload.in_flight < options.in_flight) {
    fmt::print(stderr,
               "lingua: --in-flight {}: there are {} requests, so at most {} are in flight\n",
               options.in_flight, workload.requests, workload.in_flight);
  }
  return workload;
}

int request_count(const WorkloadOptions& options, const Study& study) {
  const auto prompts = static_cast<int>(study.prompts.size());
  if (options.requests == 0) return prompts > 0 ? prompts : options.in_flight;
  return std::max(options.requests, prompts);
}

Submit make_request(RequestId id, const std::vector<TokenId>& prompt, std::int64_t max_tokens,
                    const Sampling& sampling, const Study& study) {
  Submit submit;
  submit.request = id;
  submit.inputs = {prompt_tensor(prompt, study)};
  submit.kv_cache = study.workload.kv_cache;
  submit.max_tokens = max_tokens;
  submit.capacity = max_tokens == 0 ? 0 : static_cast<std::int64_t>(prompt.size()) + max_tokens;
  submit.stop_tokens = study.stop_tokens;
  submit.sampling = sampling;
  submit.sampling.seed = sampling.seed * 1000003 + static_cast<std::uint64_t>(id);
  return submit;
}

std::vector<Submit> make_requests(const WorkloadOptions& options, const Sampling& given,
                                  const Study& study, bool with_data) {
  std::vector<Submit> requests;
  const std::int64_t vocabulary = std::max<std::int64_t>(study.model.vocabulary, 2);
  Sampling sampling = given;
  sampling.seed = options.seed;
  const auto count = static_cast<std::size_t>(request_count(options, study));
  for (std::size_t r = 0; r < count; ++r) {
    Rng rng(options.seed * 1000003 + r);
    const auto id = static_cast<RequestId>(r);
    if (reads_tokens(study)) {
      std::vector<TokenId> prompt;
      if (!study.prompts.empty()) prompt = study.prompts[r % study.prompts.size()];
      while (study.prompts.empty() &&
             static_cast<std::int64_t>(prompt.size()) < study.workload.prompt_tokens) {
        prompt.push_back(static_cast<TokenId>(rng.below(static_cast<std::uint64_t>(vocabulary))));
      }
      requests.push_back(make_request(id, prompt, study.workload.max_tokens, sampling, study));
      continue;
    }
    Submit submit;
    submit.request = id;
    submit.kv_cache = study.workload.kv_cache;
    const Step step{study.workload.prompt_tokens, 0};
    for (const TensorSpec& input : study.segmentation.model_inputs) {
      submit.inputs.push_back(random_tensor(input, step, rng, vocabulary, with_data));
    }
    requests.push_back(std::move(submit));
  }
  return requests;
}

}  // namespace lingua
