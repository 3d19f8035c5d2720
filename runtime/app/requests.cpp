#include "runtime/app/requests.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <ctime>
#include <deque>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>

#include "runtime/arrivals/generate.h"
#include "runtime/arrivals/trace_file.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "runtime/checkpoint/json.h"
#include "runtime/net/wire.h"
#include "runtime/schedule/schedule.h"
#include "runtime/text/chat.h"
#include "runtime/text/sampling.h"
#include "runtime/text/stop_tokens.h"
#include "runtime/torch/family.h"

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
  for (const std::string& prompt : options.prompts) texts.push_back({prompt, "`prompt`"});
  for (const std::string& file : options.prompt_files) {
    if (file == "-") {
      texts.push_back({read_standard_input(), "standard input"});
    } else {
      texts.push_back({read_file(file, kMaxPromptBytes), file});
    }
  }
  return texts;
}

std::vector<TokenId> encode_prompt(const PromptText& prompt, const std::optional<ChatForm>& form,
                                   const std::string& system, const Study& study) {
  check_utf8(prompt.text, prompt.where);
  std::vector<TokenId> ids;
  if (!form) {
    ids = study.tokenizer->encode(prompt.text, true, true);
  } else {
    std::vector<ChatMessage> messages;
    if (!system.empty()) messages.push_back({"system", system});
    messages.push_back({"user", prompt.text});
    ids = chat_prompt(*form, messages, *study.tokenizer);
  }
  if (ids.empty())
    throw InputError(fmt::format("{}: has no tokens; write some text", prompt.where));
  return ids;
}

// A text that is longer than what the model was trained on gets no sensible answer.
void check_length(const std::string& where, std::int64_t prompt, std::int64_t max_tokens,
                  const Study& study, const std::string& model) {
  const std::int64_t most = study.model.max_positions;
  const std::int64_t answer = study.model.is_language_model ? max_tokens : 0;
  if (most == 0 || prompt + answer <= most) return;
  throw InputError(
      fmt::format("{}: has {} tokens and may get {} more; {} was trained on at most {}", where,
                  prompt, answer, model, most));
}

std::string without_spaces(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? ""
                                    : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

// "1,2,3"
std::vector<TokenId> parse_prompt_tokens(const std::string& text, const std::string& model,
                                         std::int64_t vocabulary) {
  std::vector<TokenId> ids;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    const std::string id = without_spaces(text.substr(from, comma - from));
    TokenId token = -1;
    const auto parsed = std::from_chars(id.data(), id.data() + id.size(), token);
    if (parsed.ec != std::errc() || parsed.ptr != id.data() + id.size() || token < 0 ||
        (vocabulary > 0 && token >= vocabulary)) {
      throw UsageError(fmt::format(
          "`prompt-tokens` {}: {} is no token of {}; write ids {} with commas between them",
          lingua::quoted(text), lingua::quoted(id), model,
          vocabulary > 0 ? fmt::format("from 0 to {}", vocabulary - 1) : "from 0 up"));
    }
    ids.push_back(token);
    from = comma + 1;
  }
  return ids;
}

void read_tokens(const WorkloadOptions& workload, const std::string& model, Study& study) {
  for (const std::string& text : workload.prompt_tokens) {
    study.prompts.push_back(parse_prompt_tokens(text, model, study.model.vocabulary));
    check_length("`prompt-tokens`", static_cast<std::int64_t>(study.prompts.back().size()),
                 workload.max_tokens, study, model);
  }
}

void read_text(const TextOptions& options, std::int64_t max_tokens, const std::string& model,
               Study& study) {
  open_tokenizer(model, study);
  const std::optional<ChatForm> form = open_chat_form(options, model, study.audience);
  add_stops(options, form, study);
  for (const PromptText& prompt : prompt_texts(options)) {
    study.prompts.push_back(encode_prompt(prompt, form, options.system, study));
    study.prompt_texts.push_back(prompt.text);
    check_length(prompt.where, static_cast<std::int64_t>(study.prompts.back().size()), max_tokens,
                 study, model);
  }
}

template <typename Number>
void fill(const Tensor& tensor, std::byte* memory, const std::function<Number()>& draw) {
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const Number value = draw();
    std::memcpy(memory + i * dtype_bytes(tensor.dtype), &value, sizeof value);
  }
}

// Seeded contents of one input of a single pass: numbers of a normal distribution, or integers from
// 0 to `end` - 1.
void draw_contents(const std::string& name, std::uint64_t end, Rng& rng, Tensor* tensor) {
  auto memory = allocate_bytes(tensor->bytes());
  const auto normal = [&] { return rng.normal(); };
  const auto below = [&] { return static_cast<std::int64_t>(rng.below(end)); };
  switch (tensor->dtype) {
    case DType::kFloat32: fill<float>(*tensor, memory.get(), normal); break;
    case DType::kFloat64: fill<double>(*tensor, memory.get(), normal); break;
    case DType::kInt64: fill<std::int64_t>(*tensor, memory.get(), below); break;
    case DType::kInt32: fill<std::int32_t>(*tensor, memory.get(), below); break;
    case DType::kInt16: fill<std::int16_t>(*tensor, memory.get(), below); break;
    case DType::kInt8: fill<std::int8_t>(*tensor, memory.get(), below); break;
    case DType::kUInt8: fill<std::uint8_t>(*tensor, memory.get(), below); break;
    case DType::kBool:
      fill<std::uint8_t>(*tensor, memory.get(), [&] { return rng.below(2); });
      break;
    case DType::kBFloat16:  // the upper half of a float32
      fill<std::uint16_t>(*tensor, memory.get(), [&] {
        return std::bit_cast<std::uint32_t>(static_cast<float>(rng.normal())) >> 16;
      });
      break;
    case DType::kFloat16:
      throw InputError(fmt::format(
          "input '{}' is float16, which is not drawn at random; write `input-file` {}=FILE.npy",
          name, name));
  }
  tensor->data = memory;
}

// A file's contents, or seeded ones for so many tokens.
Tensor pass_input(const TensorSpec& spec, std::int64_t tokens, const Study& study, Rng& rng,
                  bool with_data) {
  const auto given = std::find_if(study.inputs.begin(), study.inputs.end(),
                                  [&](const NamedTensor& i) { return i.name == spec.name; });
  if (given != study.inputs.end()) return given->tensor;
  Tensor tensor;
  tensor.dtype = spec.dtype;
  const Step step{tokens, 0};
  for (const StepFunction& dim : spec.dims)
    tensor.shape.push_back(static_cast<std::int64_t>(dim.at(step)));
  if (!with_data) return tensor;
  std::int64_t end = std::max<std::int64_t>(study.model.vocabulary, 2);
  const auto range = study.model.index_inputs.find(spec.name);
  if (range != study.model.index_inputs.end()) {
    if (!range->second.why_not.empty()) {
      throw InputError(
          fmt::format("input '{}': {}, which random numbers are not; write "
                      "`input-file` {}=FILE.npy",
                      spec.name, range->second.why_not, spec.name));
    }
    end = range->second.end;
  }
  // A small type holds what it can.
  if (spec.dtype == DType::kInt8 || spec.dtype == DType::kUInt8) {
    end = std::min<std::int64_t>(end, 128);
  }
  if (spec.dtype == DType::kInt16) end = std::min<std::int64_t>(end, 1 << 15);
  draw_contents(spec.name, static_cast<std::uint64_t>(end), rng, &tensor);
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

// The trace of a file, or arrival times of as many requests as there are.
void read_arrivals(const WorkloadOptions& options, bool has_prompts, const std::string& model,
                   Study& study) {
  const auto is_process = [&](const char* name) { return options.trace.starts_with(name); };
  if (is_process("poisson:") || is_process("bursts:") || is_process("closed:")) {
    TraceRequest request;
    request.process = parse_arrivals(options.trace);
    request.requests = static_cast<std::size_t>(request_count(options, study));
    request.seed = options.seed;
    study.trace = generate_trace(request);
    return;
  }
  if (!study.model.is_language_model) {
    throw InputError(
        fmt::format("`trace` {}: {} makes no tokens, which a trace counts", options.trace, model));
  }
  if (has_prompts || !options.prompt_lengths.empty()) {
    throw UsageError(
        fmt::format("`trace` {}: a trace file says how long the prompts are; leave the "
                    "other prompts and lengths out",
                    options.trace));
  }
  const std::size_t most =
      options.requests > 0 ? static_cast<std::size_t>(options.requests) : kMostTraceRequests;
  study.trace = scaled(read_trace(options.trace), most, options.trace_rate);
  study.trace_has_lengths = true;
  if (options.requests > static_cast<int>(study.trace->arrivals.size())) {
    throw UsageError(fmt::format("`requests` {}: {} has only {}", options.requests, options.trace,
                                 study.trace->arrivals.size()));
  }
  for (std::size_t r = 0; r < study.trace->arrivals.size(); ++r) {
    const Arrival& arrival = study.trace->arrivals[r];
    check_length(fmt::format("{}: request {}", options.trace, r + 1), arrival.prompt_tokens,
                 arrival.output_tokens, study, model);
  }
}

void check_prompt_tokens(const WorkloadOptions& workload, const std::string& model) {
  if (workload.prompt_tokens.empty()) return;
  const std::int64_t vocabulary = known_vocabulary(model).value_or(0);
  for (const std::string& text : workload.prompt_tokens) {
    parse_prompt_tokens(text, model, vocabulary);
  }
}

void read_prompts(const TextOptions& text, const WorkloadOptions& workload,
                  const std::string& model, Study& study) {
  check_sampling(text.sampling);
  if (!study.prompts.empty() && (!workload.prompt_tokens.empty() || text.has_prompts())) {
    throw UsageError("`input-file` and another option both give the prompt; write one of them");
  }
  study.stop_tokens = stop_tokens_of(model, study);
  read_tokens(workload, model, study);
  if (!text.chat_template.empty() && !text.has_prompts()) {
    throw UsageError("`chat-template` needs a `prompt`");
  }
  if (!text.system.empty() && text.chat_template.empty()) {
    throw UsageError("`system` needs a `chat-template` (auto: the model's own)");
  }
  if (text.needs_tokenizer()) read_text(text, workload.max_tokens, model, study);
  if (workload.ignore_eos) study.stop_tokens.clear();
  if (!workload.trace.empty()) {
    read_arrivals(workload, !study.prompts.empty() || text.has_prompts(), model, study);
    if (study.trace_has_lengths) return;
  }
  if (!study.prompts.empty()) return;
  if (workload.prompt_lengths.empty()) {
    check_length("`prompt-length`", workload.prompt_length, workload.max_tokens, study, model);
  }
  for (const std::int64_t length : workload.prompt_lengths) {
    check_length("`prompt-lengths`", length, workload.max_tokens, study, model);
  }
}

std::vector<TokenId> stop_tokens_of(const std::string& model, const Study& study) {
  if (!study.model.is_language_model) return {};
  std::vector<TokenId> stops = model_stop_tokens(model);
  if (stops.empty()) stops = study.model.stop_tokens;
  if (stops.empty() && has_tokenizer(model)) stops = load_tokenizer(model)->stop_tokens();
  return stops;
}

std::optional<ChatForm> open_chat_form(const TextOptions& options, const std::string& model,
                                       const Audience& audience) {
  if (options.chat_template.empty()) return std::nullopt;
  const std::time_t seconds = std::time(nullptr);
  std::tm now = {};
  localtime_r(&seconds, &now);
  ChatForm form = chat_form(options.chat_template, model, now);
  audience.tell("chat template: {}\n", described(form));
  return form;
}

void add_stops(const TextOptions& text, const std::optional<ChatForm>& form, Study& study) {
  study.stop_strings = text.stop;
  for (const std::string& stop : text.stop) {
    check_utf8(stop, "`stop`");
    if (stop.empty()) throw UsageError("`stop` '': an empty text stands everywhere; write another");
  }
  if (!form) return;
  std::vector<TokenId> more = study.tokenizer->stop_tokens();
  for (const TokenId token : turn_end_tokens(*form, *study.tokenizer)) more.push_back(token);
  for (const std::string& text_end : turn_end_strings(*form))
    study.stop_strings.push_back(text_end);
  auto& all = study.stop_tokens;
  for (const TokenId token : more) {
    if (std::find(all.begin(), all.end(), token) == all.end()) all.push_back(token);
  }
}

Workload workload_by(const WorkloadOptions& options, const Study& study) {
  Workload workload;
  std::vector<std::int64_t> lengths = options.prompt_lengths;
  if (lengths.empty()) lengths = {options.prompt_length};
  if (study.input_tokens > 0) lengths = {study.input_tokens};
  if (!study.prompts.empty()) lengths.clear();
  for (const auto& prompt : study.prompts) {
    lengths.push_back(static_cast<std::int64_t>(prompt.size()));
  }
  std::int64_t max_tokens = options.max_tokens;
  if (study.trace_has_lengths) {
    lengths.clear();
    double sum = 0;
    for (const Arrival& arrival : study.trace->arrivals) {
      lengths.push_back(arrival.prompt_tokens);
      sum += static_cast<double>(arrival.output_tokens);
    }
    // What plans are made with; the engine takes each request's own.
    max_tokens = std::llround(std::ceil(sum / static_cast<double>(lengths.size())));
  }
  const auto [shortest, longest] = std::minmax_element(lengths.begin(), lengths.end());
  workload.messages = message_sizes(wire_bytes);
  workload.messages.request.stop_tokens = study.stop_tokens;
  workload.prompt_tokens = *longest;
  if (*shortest != *longest) workload.prompt_lengths = lengths;
  workload.max_tokens = study.model.is_language_model ? max_tokens : 0;
  workload.kv_cache = study.model.kv_cache;
  workload.requests = request_count(options, study);
  workload.scheduling = scheduling_by(options.scheduling, study);
  workload.communication = options.communication;
  workload.in_flight = std::min(options.in_flight, workload.requests);
  if (workload.in_flight < options.in_flight) {
    study.audience.tell(
        "lingua: `in-flight` {}: there are {} requests, so at most {} are in flight\n",
        options.in_flight, workload.requests, workload.in_flight);
  }
  return workload;
}

Scheduling scheduling_by(const Scheduling& asked, const Study& study) {
  const Scheduling allowed = allowed_by(study.model.graph.freedom, asked);
  if (allowed.max_batch != asked.max_batch) {
    study.audience.tell(
        "note: `max-batch`: {} is of no built-in family, so its steps run one by one\n",
        study.model.graph.model);
  }
  if (allowed.chunk != asked.chunk) {
    study.audience.tell("note: `chunk`: {} so prompts stay whole\n",
                        study.model.family.empty()
                            ? fmt::format("{} is of no built-in family,", study.model.graph.model)
                        : study.model.kv_cache
                            ? "this model's rotary positions depend on the step's length,"
                            : "there is no KV cache,");
  }
  return allowed;
}

int request_count(const WorkloadOptions& options, const Study& study) {
  const auto prompts = static_cast<int>(study.prompts.empty() ? options.prompt_lengths.size()
                                                              : study.prompts.size());
  if (study.trace_has_lengths) return static_cast<int>(study.trace->arrivals.size());
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
  if (!reads_tokens(study) && !study.prompts.empty()) {
    throw InputError(fmt::format("{}: does not take one sequence of tokens, which a prompt is",
                                 study.segmentation.model));
  }
  for (std::size_t r = 0; r < count; ++r) {
    Rng rng(options.seed * 1000003 + r);
    const auto id = static_cast<RequestId>(r);
    if (reads_tokens(study)) {
      std::vector<TokenId> prompt;
      if (!study.prompts.empty()) prompt = study.prompts[r % study.prompts.size()];
      while (study.prompts.empty() &&
             static_cast<std::int64_t>(prompt.size()) < study.workload.prompt_length(r)) {
        prompt.push_back(static_cast<TokenId>(rng.below(static_cast<std::uint64_t>(vocabulary))));
      }
      const std::int64_t max_tokens = study.trace_has_lengths
                                          ? study.trace->arrivals[r].output_tokens
                                          : study.workload.max_tokens;
      requests.push_back(make_request(id, prompt, max_tokens, sampling, study));
      continue;
    }
    Submit submit;
    submit.request = id;
    submit.kv_cache = study.workload.kv_cache;
    for (const TensorSpec& input : study.segmentation.model_inputs) {
      submit.inputs.push_back(
          pass_input(input, study.workload.prompt_length(r), study, rng, with_data));
    }
    requests.push_back(std::move(submit));
  }
  return requests;
}

void submit_by(const Study& study, std::vector<Submit> requests, ClientJob& job) {
  if (study.trace && study.trace->clients > 0) {
    job.concurrency = static_cast<int>(study.trace->clients);
    const auto left = std::make_shared<std::deque<Submit>>(
        std::make_move_iterator(requests.begin()), std::make_move_iterator(requests.end()));
    job.next_request = [left](const auto&) -> std::optional<Submit> {
      if (left->empty()) return std::nullopt;
      Submit next = std::move(left->front());
      left->pop_front();
      return next;
    };
    return;
  }
  job.requests = std::move(requests);
  if (!study.trace) return;
  for (const Arrival& arrival : study.trace->arrivals) job.arrivals.push_back(arrival.at);
}

}  // namespace lingua
