#include "runtime/app/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/events/metrics.h"
#include "runtime/planner/planner.h"
#include "runtime/text/chat.h"

namespace lingua {
namespace {

constexpr std::int64_t kMostTokens = std::int64_t{1} << 20;

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
          "`prompt-lengths` {}: {} is not accepted; write lengths from 1 to {} with commas between "
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
      "`policy` {} is not known; write fifo, decode-first or shortest-first", quoted(text)));
}

WireType parse_wire(const std::string& text) {
  if (text == "fp32") return WireType::kAsComputed;
  if (text == "bf16") return WireType::kBFloat16;
  if (text == "int8") return WireType::kInt8;
  throw UsageError(fmt::format("`wire` {} is not known; write fp32, bf16 or int8", quoted(text)));
}

ResidualPath parse_residuals(const std::string& text) {
  if (text == "direct") return ResidualPath::kDirect;
  if (text == "relay") return ResidualPath::kRelay;
  throw UsageError(fmt::format("`residuals` {} is not known; write direct or relay", quoted(text)));
}

bool parse_recompute(const std::string& text) {
  if (text == "none" || text == "norms") return text == "norms";
  throw UsageError(fmt::format("`recompute` {} is not known; write none or norms", quoted(text)));
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

void visit_model(ModelOptions& options, SettingVisitor& visitor, ModelArgument argument) {
  visitor.take(Setting("model", &options.model,
                       "model folder (config.json, model.safetensors), GGUF file, published name "
                       "(bloom-560m: shapes only) or TorchScript file")
                   .as_word(argument == ModelArgument::kPlace ? WordUse::kToo : WordUse::kNever)
                   .required()
                   .called(kInputPath));
  visitor.take({"dtype", &options.dtype,
                "weights and activations: fp32, bf16 or auto, the checkpoint's own (fp32 where it "
                "is stored so; bf16 for bf16, fp16, quantised GGUF files and published names)"});
  visitor.take(
      {"no-kv-cache", &options.no_kv_cache, "each step recomputes all positions (as the paper)"});
  visitor.take(
      Setting("head", &options.head,
              "positions that the LM head answers: last or all (default: last with a KV cache; all "
              "without one and in inspect, as the published FLOP counts)")
          .one_of({"last", "all"}));
  visitor.take(
      Setting(
          "head-pieces",
          [&options](const std::string& text) {
            options.head_pieces = parse_number_or_auto("`head-pieces`", text, 1024, 0);
          },
          "cut the LM head, and the embedding that it may be tied to, by rows into so many "
          "segments, or "
          "auto: none above a sixteenth of the weights (default: 1, or what `max-segment-size` "
          "asks for)")
          .called("COUNT|auto"));
  visitor.take({"input", &options.inputs,
                "an input of a TorchScript file: NAME=DIMxDIM:DTYPE, where a DIM is a number or n "
                "(a list or tuple: several, with commas; a number, bool or string: NAME=VALUE; "
                "repeat for more inputs)"});
  visitor.take(
      Setting("input-file", &options.input_files,
              "what an input holds, for every request: NAME=FILE.npy, NAME=FILE.safetensors, or "
              "FILE.safetensors with all of them (repeat for more inputs; default: random)")
          .called(kInputPath));
}

void visit_int8(ModelOptions& options, SettingVisitor& visitor) {
  visitor.take({"int8", &options.int8,
                "segments that hold their matrices in int8, one scale per row: none, all, fit "
                "(as few as make a plan fit), or numbers such as 0-3,7"});
}

void visit_partition(PartitionFlags& options, SettingVisitor& visitor) {
  visitor.take({"rule", &options.rule,
                "how the graph is cut: bytes (fewest live bytes) or lingualinked (attention and "
                "MLP halves)"});
  visitor.take(
      Setting("max-segments", &options.max_segments, "at most so many segments").in(1, 100000));
  visitor.take(
      {"max-segment-size", &options.max_segment_size,
       "at most so many weights in one segment (64 MB); a larger LM head or embedding is cut "
       "into pieces"});
  visitor.take(
      Setting(
          "recompute",
          [&options](const std::string& text) { options.recompute_norms = parse_recompute(text); },
          "what a segment computes again instead of having it sent: none, or norms of values that "
          "are sent to it anyway, for which it stores their weights too")
          .by_default("none")
          .called("WHAT"));
}

void visit_workload(WorkloadOptions& options, SettingVisitor& visitor) {
  visitor.take({"prompt-tokens", &options.prompt_tokens,
                "token ids of a prompt: 1,2,3 (repeat for more requests)"});
  visitor.take(
      Setting("prompt-length", &options.prompt_length, "length of a prompt of seeded random tokens")
          .in(1, kMostTokens)
          .not_with({"prompt-tokens"}));
  visitor.take(
      Setting(
          "prompt-lengths",
          [&options](const std::string& text) {
            options.prompt_lengths = parse_prompt_lengths(text);
          },
          "lengths of seeded prompts that differ, in turn: 16,512 or 16x3,512 (three of 16)")
          .called("LENGTH[xCOUNT],...")
          .not_with({"prompt-tokens", "prompt-length"}));
  visitor.take(Setting("max-tokens", &options.max_tokens, "tokens to generate per request")
                   .in(1, kMostTokens));
  visitor.take(
      Setting("requests", &options.requests,
              "requests to answer (default: one for each prompt or length; of seeded prompts as "
              "many as `in-flight`)")
          .in(1, 1000000)
          .default_untold());
  visit_in_flight(options, visitor);
  visit_scheduling(options.scheduling, visitor);
  visit_communication(options.communication, visitor);
  visitor.take(Setting("trace", &options.trace,
                       "when requests come: poisson:RATE, bursts:RATE,SIZE or closed:CLIENTS; "
                       "or a trace file, which says how long they are too (`lingua trace`)")
                   .called("FILE|ARRIVALS"));
  visitor.take(
      Setting("trace-rate", &options.trace_rate, "how many times as fast a file's requests come")
          .in(1e-6, 1e6)
          .only_with("trace"));
  visitor.take(
      Setting("seed", &options.seed,
              "of seeded prompts, drawn tokens, planners and supplies that draw; modelled times "
              "have nothing else random")
          .not_negative());
  visitor.take({"ignore-eos", &options.ignore_eos, "go on after an end-of-sequence token"});
}

void visit_in_flight(WorkloadOptions& options, SettingVisitor& visitor) {
  visitor.take(Setting("in-flight", &options.in_flight, "requests inside the pipeline at once")
                   .in(1, 100000));
}

void visit_scheduling(Scheduling& scheduling, SettingVisitor& visitor) {
  visitor.take(
      Setting(
          "policy",
          [&scheduling](const std::string& text) { scheduling.policy = parse_policy(text); },
          "which step a device runs next: fifo, decode-first (tokens before prompts) or "
          "shortest-first (requests that have least left)")
          .by_default("fifo")
          .called("NAME"));
  visitor.take(
      Setting(
          "max-batch",
          [&scheduling](const std::string& text) {
            scheduling.max_batch =
                static_cast<int>(parse_number_or_auto("`max-batch`", text, 1024, kAutoBatch));
          },
          "steps of different requests that a device runs as one, where they wait for it; "
          "auto: as many as are in flight for each stage of the plan")
          .by_default(scheduling.max_batch == kAutoBatch ? "auto"
                                                         : std::to_string(scheduling.max_batch))
          .called("STEPS|auto"));
  visit_chunk(scheduling, visitor);
}

void visit_chunk(Scheduling& scheduling, SettingVisitor& visitor) {
  visitor.take(
      Setting(
          "chunk",
          [&scheduling](const std::string& text) {
            scheduling.chunk = parse_number_or_auto("`chunk`", text, kMostTokens, kAutoChunk);
          },
          "tokens at most that one step takes of a prompt, or auto: two steps for each stage "
          "of the plan, of 32 tokens or more (default: whole prompts)")
          .called("TOKENS|auto"));
}

void visit_communication(Communication& communication, SettingVisitor& visitor) {
  visitor.take(
      Setting(
          "wire",
          [&communication](const std::string& text) { communication.wire = parse_wire(text); },
          "what activations travel as: fp32 (as they are computed), bf16, or int8 with a scale "
          "for each row; the last two change tokens")
          .by_default("fp32")
          .called("TYPE"));
  visitor.take(
      Setting(
          "residuals",
          [&communication](const std::string& text) {
            communication.residuals = parse_residuals(text);
          },
          "how a value reaches a stage that is not the next: direct, or relay through those "
          "between")
          .by_default("direct")
          .called("PATH"));
  visitor.take(Setting(
                   "share-frames",
                   [&communication](const std::string& text) {
                     communication.share_frames = parse_switch("`share-frames`", text);
                   },
                   "small messages of steps that ran as one go to a device as one: on or off")
                   .by_default("on")
                   .called("on|off"));
}

void visit_text(TextOptions& options, SettingVisitor& visitor) {
  const std::vector<std::string> others = {"prompt-tokens", "prompt-length", "prompt-lengths"};
  visitor.take(Setting("prompt", &options.prompts, "a prompt as text (repeat for more requests)")
                   .not_with(others));
  visitor.take(Setting("prompt-file", &options.prompt_files,
                       "a file that is one prompt; - is standard input (repeat for more requests)")
                   .called(kInputPath)
                   .not_with(others));
  visit_chat(options, visitor);
  visit_sampling(options, visitor);
}

void visit_chat(TextOptions& options, SettingVisitor& visitor) {
  std::string names;
  for (const std::string& name : chat_templates()) names += (names.empty() ? "" : ", ") + name;
  visitor.take(Setting("chat-template", &options.chat_template,
                       "ask as a user's turn in this template: auto (the model's own), " + names +
                           ", or the name of another of the model's own")
                   .default_untold());
  visitor.take({"system", &options.system, "the system message before it"});
}

void visit_sampling(TextOptions& options, SettingVisitor& visitor) {
  Sampling& sampling = options.sampling;
  visitor.take({"temperature", &sampling.temperature,
                "0: always the most likely token; higher: more varied"});
  visitor.take({"top-k", &sampling.top_k, "only the k most likely tokens; 0: all"});
  visitor.take({"top-p", &sampling.top_p,
                "only the most likely tokens that together have this probability"});
  visitor.take({"repetition-penalty", &sampling.repetition_penalty,
                "above 1: tokens of the last `repetition-window` are less likely"});
  visitor.take({"repetition-window", &sampling.repetition_window, "in tokens"});
  visitor.take({"stop", &options.stop, "end an answer before this text (repeat for more)"});
}

namespace {

// Whom it is for: where it is cut from the others.
void visit_devices(PlanOptions& options, SettingVisitor& visitor) {
  PlanRules& rules = options.rules;
  visitor.take({"exclude", &rules.excluded, "a device that runs nothing (repeat for more)"});
  visitor.take(
      {"header", &rules.header,
       "the device that runs the first segment and has the prompts (default: the cluster's)"});
  visitor.take(
      {"tailer", &rules.tailer, "the device that runs the last segment and chooses the tokens"});
  visitor.take({"header-keeps", &rules.header_keeps,
                "so many first segments stay on the header, so that nobody else sees the prompt"});
  visitor.take(
      {"header-keeps-last", &rules.header_keeps_last,
       "so many last segments stay on the header too, so that nobody else sees an answer"});
  visitor.take({"battery-floor", &options.battery_floor,
                "what computing all requests must leave of each battery: 20%"});
}

}  // namespace

void visit_plan(PlanOptions& options, SettingVisitor& visitor, bool needs_cluster) {
  Setting cluster(
      "cluster", &options.cluster,
      "cluster file (platforms/*.yaml), or drawn:COUNT[:SEED[:WIFI]], where SEED may be seed");
  cluster.is_required = needs_cluster;
  visitor.take(std::move(cluster).called(kInputPath));
  std::string names;
  for (const PlannerEntry& planner : planners())
    names += (names.empty() ? "" : ", ") + std::string(planner.name);
  visitor.take(Setting("planner", &options.planner,
                       "how segments are assigned: " + names +
                           ", or a shared library that has one (./mine.so)")
                   .called("FILE|PLANNER"));
  visitor.take({"objective", &options.objective,
                "what the plan is best for: latency, ttft, tpot, throughput, energy, or a weighted "
                "sum (latency=1,energy=0.5; in s, s per token, J per token)"});
  visitor.take(Setting("plan-time-limit", &options.time_limit_s,
                       "seconds that the planner may take, and again `overlap` and `spares`")
                   .time_limit());
  visit_devices(options, visitor);
  visitor.take(
      Setting("robust", &options.robust,
              "plan for the mean over 16 seeded draws in which each speed and link is off by "
              "up to this share (1%), and show what comes of them; takes longer")
          .called("SHARE"));
  visitor.take(Setting("spread", &options.spread,
                       "only show what comes of speeds and links that are off by up to this share")
                   .called("SHARE")
                   .not_with({"robust"}));
  visitor.take(Setting("plan", &options.plan_file,
                       "use this plan (JSON, as `save-plan` writes) instead of making one")
                   .called(kInputPath));
  visitor.take(
      Setting("overlap", &options.overlap,
              "segments that devices store besides those they run, so that boundaries can move "
              "later: gain (for the `slow-down` given) or bytes (as many as fit)")
          .one_of({"none", "gain", "bytes"}));
  visitor.take(
      {"slow-down", &options.slow_downs,
       "DEVICE=FACTOR[:PROBABILITY]: what `overlap` is for (repeat for more; default: each "
       "device of the plan, twice as slow)"});
  visitor.take(
      Setting("spares", &options.spares,
              "store every segment on so many more devices, as far as memory allows, so that "
              "the worst loss of a device (of N devices) costs least; with `overlap` beside it")
          .called("N")
          .in(0, 8));
}

void visit_output(OutputOptions& options, SettingVisitor& visitor, bool messages) {
  visitor.take(
      Setting("log", &options.log, "write the event log (CSV) to this file").called(kOutputFile));
  visitor.take(Setting("timeline", &options.timeline,
                       "write a timeline for Perfetto or chrome://tracing to this file")
                   .called(kOutputFile));
  if (messages) visit_messages(options.messages, visitor);
  visitor.take(Setting("save-plan", &options.save_plan, "write the plan (JSON) to this file")
                   .called(kOutputFile));
  visit_output_file(options, visitor);
  visit_json(options.json, visitor);
}

void visit_messages(std::string& file, SettingVisitor& visitor) {
  visitor.take(Setting("trace-messages", &file,
                       "write a line for each message sent and received (CSV) to this file")
                   .called(kOutputFile));
}

void visit_output_file(OutputOptions& options, SettingVisitor& visitor) {
  visitor.take(
      Setting("output-file", &options.output_file,
              "pass once through a TorchScript file or classifier and write what it gives: "
              "FILE.npy for one output, FILE.safetensors for several")
          .called(kOutputFile));
}

void visit_json(bool& json, SettingVisitor& visitor) {
  visitor.take({"json", &json, "print the results as JSON on standard output"});
}

void visit_slo(std::string& slo, SettingVisitor& visitor) {
  const auto wrong = [](const std::string& text) -> std::string {
    try {
      parse_slo(text);
      return "";
    } catch (const UsageError& error) {
      return error.what();
    }
  };
  visitor.take(
      Setting("slo", &slo,
              "tell how many requests have their first token, and each further one, within "
              "these times: 500 ms,50 ms")
          .called("TTFT,TPOT")
          .checked(wrong, ""));
}

void visit_threads(int& threads, SettingVisitor& visitor) {
  visitor.take(
      Setting("threads", &threads,
              "threads of each worker's numerics (default: its share of the cores); modelled times "
              "do not depend on it")
          .in(1, 1024)
          .default_untold());
}

std::string default_planner() {
  const auto& all = planners();
  const bool has_cbc = std::any_of(
      all.begin(), all.end(), [](const PlannerEntry& p) { return std::string(p.name) == "cbc"; });
  return has_cbc ? "cbc" : all.front().name;
}

}  // namespace lingua
