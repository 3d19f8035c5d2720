// How long one token takes in the executor, without seam, sampling and network, and on what.
//   decode_bench MODEL [THREADS] [TOKENS] [fp32|bf16|int8-fp32|int8-bf16|all] [PROMPT]
// MODEL: a folder or GGUF file. The whole model is one segment; after a prompt of PROMPT tokens (16), TOKENS
// steps of one token (default 48) are timed: the median, the bytes of weights that a step reads per
// second, and the time by operation in steps that are timed apart, since timing costs time; then that of
// another PROMPT tokens in one step.
#include <ATen/Parallel.h>
#include <ATen/record_function.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/partition/partition.h"
#include "runtime/torch/import.h"
#include "runtime/torch/torch_executor.h"

namespace lingua {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Spent {
  double seconds = 0;
  std::int64_t calls = 0;
};
std::map<std::string, Spent>& spent() {
  static std::map<std::string, Spent> all;
  return all;
}

struct Running : at::ObserverContext {
  Clock::time_point start = Clock::now();
};
std::unique_ptr<at::ObserverContext> begin_operation(const at::RecordFunction&) {
  return std::make_unique<Running>();
}
void end_operation(const at::RecordFunction& operation, at::ObserverContext* context) {
  Spent& entry = spent()[operation.name()];
  entry.seconds += seconds_since(static_cast<Running*>(context)->start);
  ++entry.calls;
}

class Decoder {
 public:
  Decoder(const std::string& name, const ImportOptions& options, std::int64_t capacity)
      : model_(import_model(name, options)),
        segment_(cut_at(model_.graph, {}).segments.at(0)),
        executor_(make_torch_executor()),
        capacity_(capacity) {
    std::vector<Tensor> weights;
    for (const WeightSpec& spec : segment_.weights) {
      auto memory = allocate_bytes(spec.bytes());
      model_.source->read(spec, 0, spec.bytes(), memory.get());
      weights.push_back({spec.dtype, spec.shape, memory});
    }
    executor_->load(segment_, model_.source->program(segment_), weights);
  }

  double run(std::int64_t new_tokens) {
    auto memory = allocate_bytes(new_tokens * 8);
    for (std::int64_t i = 0; i < new_tokens; ++i) {
      reinterpret_cast<std::int64_t*>(memory.get())[i] = 2 + (cached_ + i) * 31 % 97;
    }
    const Clock::time_point start = Clock::now();
    executor_->run(segment_.id, {1, {new_tokens, cached_}, capacity_},
                   {{DType::kInt64, {new_tokens}, memory}});
    cached_ += new_tokens;
    return seconds_since(start);
  }

  double weights_bytes() const { return segment_.weights_bytes(); }
  std::size_t operations() const { return model_.graph.nodes.size(); }

 private:
  ImportedModel model_;
  Segment segment_;
  std::unique_ptr<Executor> executor_;
  std::int64_t capacity_;
  std::int64_t cached_ = 0;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// Time by operation, nested ones left out where the outer one is ours.
void print_operations(Decoder& decoder, int steps, std::int64_t new_tokens) {
  const auto handle =
      at::addGlobalCallback(at::RecordFunctionCallback(begin_operation, end_operation)
                                .scopes({at::RecordScope::FUNCTION}));
  for (int i = 0; i < steps; ++i) decoder.run(new_tokens);
  at::removeCallback(handle);
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [name, entry] : spent()) {
    sorted.emplace_back(1e3 * entry.seconds / steps,
                        fmt::format("{:<32} {:>6} calls {:>8.2f} us each", name,
                                    entry.calls / steps, 1e6 * entry.seconds / entry.calls));
  }
  std::sort(sorted.rbegin(), sorted.rend());
  for (std::size_t i = 0; i < std::min<std::size_t>(12, sorted.size()); ++i) {
    fmt::print("  {:>8.3f} ms  {}\n", sorted[i].first, sorted[i].second);
  }
  spent().clear();
}

void measure(const std::string& name, const std::string& kind, std::int64_t tokens,
             std::int64_t prompt) {
  constexpr int kProfiled = 8;
  ImportOptions options;
  options.int8 = kind.starts_with("int8-");
  options.dtype = kind.ends_with("bf16") ? DType::kBFloat16 : DType::kFloat32;
  Decoder decoder(name, options, 2 * prompt + tokens + kProfiled);
  const double prefill_s = decoder.run(prompt);
  std::vector<double> steps;
  for (std::int64_t i = 0; i < tokens; ++i) steps.push_back(decoder.run(1));
  const double step_s = median(steps);
  fmt::print(
      "{:<10} {:>5} operations, weights {:>7.1f} MB: prefill {:>7.1f} ms, {:>7.2f} ms/token "
      "({:.1f} tokens/s, {:.1f} GB/s)\n",
      kind, decoder.operations(), decoder.weights_bytes() / 1e6, 1e3 * prefill_s, 1e3 * step_s,
      1 / step_s, decoder.weights_bytes() / step_s / 1e9);
  print_operations(decoder, kProfiled, 1);
  if (prompt > 1) {
    fmt::print("  and in another {} tokens at once:\n", prompt);
    print_operations(decoder, 1, prompt);
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace lingua

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs(
        "usage: decode_bench MODEL [THREADS] [TOKENS] [fp32|bf16|int8-fp32|int8-bf16|all] "
        "[PROMPT]\n",
        stderr);
    return 2;
  }
  try {
    at::set_num_threads(argc > 2 ? std::stoi(argv[2]) : 2);
    const std::int64_t tokens = argc > 3 ? std::stoi(argv[3]) : 48;
    std::vector<std::string> kinds = {"fp32", "bf16", "int8-fp32", "int8-bf16"};
    if (argc > 4 && std::string(argv[4]) != "all") kinds = {argv[4]};
    const std::int64_t prompt = argc > 5 ? std::stoi(argv[5]) : 16;
    for (const std::string& kind : kinds) lingua::measure(argv[1], kind, tokens, prompt);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "decode_bench: %s\n", error.what());
    return 1;
  }
}
