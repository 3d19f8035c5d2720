#include "runtime/cli/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/time_limit.h"
#include "runtime/events/metrics.h"
#include "runtime/planner/planner.h"
#include "runtime/text/chat.h"

namespace lingua {
namespace {

// A number from 1 to `most`, of all of the text.
std::optional<std::int64_t> number_up_to(std::string_view text, std::int64_t most) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1 || number > most) {
    return std::nullopt;
  }
  return number;
}

// "16,512" or "16x3,512"
std::vector<std::int64_t> parse_prompt_lengths(const std::string& text) {
  constexpr std::int64_t kMostTokens = std::int64_t{1} << 20;
  constexpr std::int64_t kMostRequests = 1'000'000;
  std::vector<std::int64_t> lengths;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    const std::string_view item = std::string_view(text).substr(from, comma - from);
    const std::size_t times = item.find('x');
    const auto length = number_up_to(item.substr(0, times), kMostTokens);
    const auto count = times == std::string_view::npos
                           ? std::optional<std::int64_t>(1)
                           : number_up_to(item.substr(times + 1), kMostRequests);
    if (!length || !count || std::ssize(lengths) + *count > kMostRequests) {
      throw UsageError(fmt::format(
          "--prompt-lengths {}: {} is not accepted; write lengths from 1 to {} with commas between "
          "them, each with x and a count behind it where it stands for several requests, up to {} "
          "in all",
          quoted(text), lingua::quoted(std::string(item)), kMostTokens, kMostRequests));
    }
    lengths.insert(lengths.end(), static_cast<std::size_t>(*count), *length);
    from = comma + 1;
  }
  return lengths;
}

Policy parse_policy(const std::string& text) {
  if (text == "fifo") return Policy::kFifo;
  if (text == "decode-first") return Policy::kDecodeFirst;
  if (text == "shortest-first") return Policy::kShortestFirst;
  throw UsageError(fmt::format(
      "--policy {} is not known; write fifo, decode-first or shortest-first", quoted(text)));
}

WireType parse_wire(const std::string& text) {
  if (text == "fp32") return WireType::kAsComputed;
  if (text == "bf16") return WireType::kBFloat16;
  if (text == "int8") return WireType::kInt8;
  throw UsageError(fmt::format("--wire {} is not known; write fp32, bf16 or int8", quoted(text)));
}

ResidualPath parse_residuals(const std::string& text) {
  if (text == "direct") return ResidualPath::kDirect;
  if (text == "relay") return ResidualPath::kRelay;
  throw UsageError(fmt::format("--residuals {} is not known; write direct or relay", quoted(text)));
}

bool parse_recompute(const std::string& text) {
  if (text == "none" || text == "norms") return text == "norms";
  throw UsageError(fmt::format("--recompute {} is not known; write none or norms", quoted(text)));
}

bool parse_switch(const char* option, const std::string& text) {
  if (text == "on" || text == "off") return text == "on";
  throw UsageError(fmt::format("{} {} is not accepted; write on or off", option, quoted(text)));
}

// A number up to `most`, or what "auto" stands for.
std::int64_t parse_number_or_auto(const char* option, const std::string& text, std::int64_t most,
                                  std::int64_t automatic) {
  if (text == "auto") return automatic;
  if (const auto number = number_up_to(text, most)) return *number;
  throw UsageError(fmt::format("{} {} is not accepted; write auto or a number from 1 to {}", option,
                               quoted(text), most));
}

}  // namespace

void add_model_options(CLI::App& app, ModelOptions& options, ModelArgument argument) {
  app.add_option(argument == ModelArgument::kPlace ? "--model,model" : "--model", options.model,
                 "model folder (config.json, model.safetensors), GGUF file, published name "
                 "(bloom-560m: shapes only) or TorchScript file")
      ->required()
      ->type_name(kInputPath);
  app.add_option("--dtype", options.dtype,
                 "weights and activations: fp32, bf16 or auto, the checkpoint's own (fp32 where it "
                 "is stored so; bf16 for bf16, fp16, quantised GGUF files and published names)")
      ->capture_default_str();
  app.add_flag("--no-kv-cache", options.no_kv_cache,
               "each step recomputes all positions (as the paper)");
  app.add_option(
         "--head", options.head,
         "positions that the LM head answers: last or all (default: last with a KV cache; all "
         "without one and in inspect, as the published FLOP counts)")
      ->check(CLI::IsMember({"last", "all"}));
  app.add_option_function<std::string>(
         "--head-pieces",
         [&options](const std::string& text) {
           options.head_pieces = parse_number_or_auto("--head-pieces", text, 1024, 0);
         },
         "cut the LM head, and the embedding that it may be tied to, by rows into so many "
         "segments, or "
         "auto: none above a sixteenth of the weights (default: 1, or what --max-segment-size asks "
         "for)")
      ->type_name("COUNT|auto");
  app.add_option("--input", options.inputs,
                 "an input of a TorchScript file: NAME=DIMxDIM:DTYPE, where a DIM is a number or n "
                 "(a list or tuple: several, with commas; a number, bool or string: NAME=VALUE; "
                 "repeat for more inputs)")
      ->allow_extra_args(false);
  app.add_option("--input-file", options.input_files,
                 "what an input holds, for every request: NAME=FILE.npy, NAME=FILE.safetensors, or "
                 "FILE.safetensors with all of them (repeat for more inputs; default: random)")
      ->allow_extra_args(false)
      ->type_name(kInputPath);
}

void add_int8_option(CLI::App& app, ModelOptions& options) {
  app.add_option("--int8", options.int8,
                 "segments that hold their matrices in int8, one scale per row: none, all, fit "
                 "(as few as make a plan fit), or numbers such as 0-3,7")
      ->capture_default_str();
}

void add_partition_flags(CLI::App& app, PartitionFlags& options) {
  app.add_option("--rule", options.rule,
                 "how the graph is cut: bytes (fewest live bytes) or lingualinked (attention and "
                 "MLP halves)")
      ->capture_default_str();
  app.add_option("--max-segments", options.max_segments, "at most so many segments")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  app.add_option(
      "--max-segment-size", options.max_segment_size,
      "at most so many weights in one segment (64 MB); a larger LM head or embedding is cut "
      "into pieces");
  app.add_option_function<std::string>(
         "--recompute",
         [&options](const std::string& text) { options.recompute_norms = parse_recompute(text); },
         "what a segment computes again instead of having it sent: none, or norms of values that "
         "are sent to it anyway, for which it stores their weights too")
      ->default_str("none")
      ->type_name("WHAT");
}

void add_workload_options(CLI::App& app, WorkloadOptions& options) {
  auto* tokens = app.add_option("--prompt-tokens", options.prompt_tokens,
                                "token ids of a prompt: 1,2,3 (repeat for more requests)")
                     ->allow_extra_args(false);
  app.add_option("--prompt-length", options.prompt_length,
                 "length of a prompt of seeded random tokens")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20))
      ->excludes(tokens);
  app.add_option_function<std::string>(
         "--prompt-lengths",
         [&options](const std::string& text) {
           options.prompt_lengths = parse_prompt_lengths(text);
         },
         "lengths of seeded prompts that differ, in turn: 16,512 or 16x3,512 (three of 16)")
      ->type_name("LENGTH[xCOUNT],...")
      ->excludes(tokens)
      ->excludes(app.get_option("--prompt-length"));
  app.add_option("--max-tokens", options.max_tokens, "tokens to generate per request")
      ->capture_default_str()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  app.add_option("--requests", options.requests,
                 "requests to answer (default: one for each prompt or length; of seeded prompts as "
                 "many as --in-flight)")
      ->check(CLI::Range(1, 1000000));
  add_in_flight_option(app, options);
  add_scheduling_options(app, options.scheduling);
  add_communication_options(app, options.communication);
  auto* trace =
      app.add_option("--trace", options.trace,
                     "when requests come: poisson:RATE, bursts:RATE,SIZE or closed:CLIENTS; "
                     "or a trace file, which says how long they are too (`lingua trace`)")
          ->type_name("FILE|ARRIVALS");
  app.add_option("--trace-rate", options.trace_rate,
                 "how many times as fast a file's requests come")
      ->capture_default_str()
      ->check(CLI::Range(1e-6, 1e6))
      ->needs(trace);
  app.add_option("--seed", options.seed,
                 "of seeded prompts, drawn tokens, planners and supplies that draw; modelled times "
                 "have nothing else random")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  app.add_flag("--ignore-eos", options.ignore_eos, "go on after an end-of-sequence token");
}

void add_in_flight_option(CLI::App& app, WorkloadOptions& options) {
  app.add_option("--in-flight", options.in_flight, "requests inside the pipeline at once")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
}

void add_scheduling_options(CLI::App& app, Scheduling& scheduling) {
  app.add_option_function<std::string>(
         "--policy",
         [&scheduling](const std::string& text) { scheduling.policy = parse_policy(text); },
         "which step a device runs next: fifo, decode-first (tokens before prompts) or "
         "shortest-first (requests that have least left)")
      ->default_str("fifo")
      ->type_name("NAME");
  app.add_option_function<std::string>(
         "--max-batch",
         [&scheduling](const std::string& text) {
           scheduling.max_batch =
               static_cast<int>(parse_number_or_auto("--max-batch", text, 1024, kAutoBatch));
         },
         "steps of different requests that a device runs as one, where they wait for it; auto: as "
         "many as are in flight for each stage of the plan")
      ->default_str(scheduling.max_batch == kAutoBatch ? "auto"
                                                       : std::to_string(scheduling.max_batch))
      ->type_name("STEPS|auto");
  add_chunk_option(app, scheduling);
}

void add_chunk_option(CLI::App& app, Scheduling& scheduling) {
  app.add_option_function<std::string>(
         "--chunk",
         [&scheduling](const std::string& text) {
           scheduling.chunk =
               parse_number_or_auto("--chunk", text, std::int64_t{1} << 20, kAutoChunk);
         },
         "tokens at most that one step takes of a prompt, or auto: two steps for each stage of the "
         "plan, of 32 tokens or more (default: whole prompts)")
      ->type_name("TOKENS|auto");
}

void add_communication_options(CLI::App& app, Communication& communication) {
  app.add_option_function<std::string>(
         "--wire",
         [&communication](const std::string& text) { communication.wire = parse_wire(text); },
         "what activations travel as: fp32 (as they are computed), bf16, or int8 with a scale for "
         "each row; the last two change tokens")
      ->default_str("fp32")
      ->type_name("TYPE");
  app.add_option_function<std::string>(
         "--residuals",
         [&communication](const std::string& text) {
           communication.residuals = parse_residuals(text);
         },
         "how a value reaches a stage that is not the next: direct, or relay through those between")
      ->default_str("direct")
      ->type_name("PATH");
  app.add_option_function<std::string>(
         "--share-frames",
         [&communication](const std::string& text) {
           communication.share_frames = parse_switch("--share-frames", text);
         },
         "small messages of steps that ran as one go to a device as one: on or off")
      ->default_str("on")
      ->type_name("on|off");
}

void add_text_options(CLI::App& app, TextOptions& options) {
  auto* text =
      app.add_option("--prompt", options.prompts, "a prompt as text (repeat for more requests)")
          ->allow_extra_args(false);
  auto* file =
      app.add_option("--prompt-file", options.prompt_files,
                     "a file that is one prompt; - is standard input (repeat for more requests)")
          ->allow_extra_args(false)
          ->type_name(kInputPath);
  for (const char* name : {"--prompt-tokens", "--prompt-length", "--prompt-lengths"}) {
    auto* other = app.get_option(name);
    other->excludes(text)->excludes(file);
  }
  add_chat_options(app, options);
  add_sampling_options(app, options);
}

void add_chat_options(CLI::App& app, TextOptions& options) {
  std::string names;
  for (const std::string& name : chat_templates()) names += (names.empty() ? "" : ", ") + name;
  auto* form = app.add_option("--chat-template", options.chat_template,
                              "ask as a user's turn in this template: auto (the model's own), " +
                                  names + ", or the name of another of the model's own");
  if (!options.chat_template.empty()) form->capture_default_str();
  app.add_option("--system", options.system, "the system message before it");
}

void add_sampling_options(CLI::App& app, TextOptions& options) {
  Sampling& sampling = options.sampling;
  app.add_option("--temperature", sampling.temperature,
                 "0: always the most likely token; higher: more varied")
      ->capture_default_str();
  app.add_option("--top-k", sampling.top_k, "only the k most likely tokens; 0: all")
      ->capture_default_str();
  app.add_option("--top-p", sampling.top_p,
                 "only the most likely tokens that together have this probability")
      ->capture_default_str();
  app.add_option("--repetition-penalty", sampling.repetition_penalty,
                 "above 1: tokens of the last --repetition-window are less likely")
      ->capture_default_str();
  app.add_option("--repetition-window", sampling.repetition_window, "in tokens")
      ->capture_default_str();
  app.add_option("--stop", options.stop, "end an answer before this text (repeat for more)")
      ->allow_extra_args(false);
}

void add_plan_options(CLI::App& app, PlanOptions& options, bool cluster_required) {
  auto* cluster = app.add_option("--cluster", options.cluster,
                                 "cluster file (platforms/*.yaml), or drawn:COUNT[:SEED[:WIFI]]")
                      ->type_name(kInputPath);
  if (cluster_required) cluster->required();
  std::string names;
  for (const PlannerEntry& planner : planners())
    names += (names.empty() ? "" : ", ") + std::string(planner.name);
  options.planner = default_planner();
  app.add_option("--planner", options.planner, "how segments are assigned: " + names)
      ->capture_default_str();
  app.add_option(
         "--objective", options.objective,
         "what the plan is best for: latency, ttft, tpot, throughput, energy, or a weighted "
         "sum (latency=1,energy=0.5; in s, s per token, J per token)")
      ->capture_default_str();
  app.add_option("--plan-time-limit", options.time_limit_s,
                 "seconds that the planner may take, and again --overlap and --spares")
      ->capture_default_str()
      ->check(time_limit_check());
  app.add_option("--exclude", options.rules.excluded,
                 "a device that runs nothing (repeat for more)")
      ->allow_extra_args(false);
  app.add_option(
      "--header", options.rules.header,
      "the device that runs the first segment and has the prompts (default: the cluster's)");
  app.add_option("--tailer", options.rules.tailer,
                 "the device that runs the last segment and chooses the tokens");
  app.add_option("--header-keeps", options.rules.header_keeps,
                 "so many first segments stay on the header, so that nobody else sees the prompt")
      ->capture_default_str();
  app.add_option("--header-keeps-last", options.rules.header_keeps_last,
                 "so many last segments stay on the header too, so that nobody else sees an answer")
      ->capture_default_str();
  app.add_option("--battery-floor", options.battery_floor,
                 "what computing all requests must leave of each battery: 20%");
  auto* robust =
      app.add_option(
             "--robust", options.robust,
             "plan for the mean over 16 seeded draws in which each speed and link is off by "
             "up to this share (1%), and show what comes of them; takes longer")
          ->type_name("SHARE");
  app.add_option("--spread", options.spread,
                 "only show what comes of speeds and links that are off by up to this share")
      ->type_name("SHARE")
      ->excludes(robust);
  app.add_option("--plan", options.plan_file,
                 "use this plan (JSON, as --save-plan writes) instead of making one")
      ->type_name(kInputPath);
  app.add_option("--overlap", options.overlap,
                 "segments that devices store besides those they run, so that boundaries can move "
                 "later: gain (for the --slow-down given) or bytes (as many as fit)")
      ->capture_default_str()
      ->check(CLI::IsMember({"none", "gain", "bytes"}));
  app.add_option(
         "--slow-down", options.slow_downs,
         "DEVICE=FACTOR[:PROBABILITY]: what --overlap is for (repeat for more; default: each "
         "device of the plan, twice as slow)")
      ->allow_extra_args(false);
  app.add_option("--spares", options.spares,
                 "store every segment on so many more devices, as far as memory allows, so that "
                 "the worst loss of a device (of N devices) costs least; with --overlap beside it")
      ->capture_default_str()
      ->type_name("N")
      ->check(CLI::Range(0, 8));
}

void add_output_options(CLI::App& app, OutputOptions& options) {
  app.add_option("--log", options.log, "write the event log (CSV) to this file")
      ->type_name(kOutputFile);
  app.add_option("--timeline", options.timeline,
                 "write a timeline for Perfetto or chrome://tracing to this file")
      ->type_name(kOutputFile);
  add_messages_option(app, options.messages);
  app.add_option("--save-plan", options.save_plan, "write the plan (JSON) to this file")
      ->type_name(kOutputFile);
  add_output_file_option(app, options);
  app.add_flag("--json", options.json, "print the results as JSON on standard output");
}

void add_messages_option(CLI::App& app, std::string& file) {
  app.add_option("--trace-messages", file,
                 "write a line for each message sent and received (CSV) to this file")
      ->type_name(kOutputFile);
}

void add_output_file_option(CLI::App& app, OutputOptions& options) {
  app.add_option("--output-file", options.output_file,
                 "pass once through a TorchScript file or classifier and write what it gives: "
                 "FILE.npy for one output, FILE.safetensors for several")
      ->type_name(kOutputFile);
}

void add_slo_option(CLI::App& app, std::string& slo) {
  const auto wrong = [](const std::string& text) -> std::string {
    try {
      parse_slo(text);
      return "";
    } catch (const UsageError& error) {
      return error.what();
    }
  };
  app.add_option("--slo", slo,
                 "tell how many requests have their first token, and each further one, within "
                 "these times: 500 ms,50 ms")
      ->type_name("TTFT,TPOT")
      ->check(wrong);
}

void add_threads_option(CLI::App& app, int& threads) {
  app.add_option(
         "--threads", threads,
         "threads of each worker's numerics (default: its share of the cores); modelled times "
         "do not depend on it")
      ->check(CLI::Range(1, 1024));
}

std::string default_planner() {
  const auto& all = planners();
  const bool has_cbc = std::any_of(
      all.begin(), all.end(), [](const PlannerEntry& p) { return std::string(p.name) == "cbc"; });
  return has_cbc ? "cbc" : all.front().name;
}

}  // namespace lingua
