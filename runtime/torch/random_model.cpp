#include "runtime/torch/random_model.h"

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <system_error>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/random.h"
#include "runtime/checkpoint/safetensors.h"
#include "runtime/torch/family.h"

namespace lingua {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::int64_t kPieceElements = 1 << 18;

// Close to normal with mean 0 and deviation 1, from one random number: the sum of its four 16-bit
// parts (Irwin-Hall), within 3.5 deviations.
float nearly_normal(Rng& rng) {
  const std::uint64_t bits = rng.next();
  const auto sum = static_cast<std::int32_t>((bits & 0xffff) + ((bits >> 16) & 0xffff) +
                                             ((bits >> 32) & 0xffff) + (bits >> 48));
  constexpr float kDeviation = 37837.23F;  // 2^16 sqrt(4 / 12)
  return static_cast<float>(sum - 2 * 0xffff) / kDeviation;
}

// How much wider than the rest the second matrix of each MLP is drawn, so that the blocks together
// add about 2 sqrt(hidden) times what the embedding puts into the residual stream.
double mlp_gain(const FamilyModel& model) {
  const auto hidden = static_cast<double>(model.hidden);
  const double share = model.embedding_scale * model.initializer_range;  // of the embedding
  const double widening = static_cast<double>(model.inner) / hidden;
  const double inner = hidden * model.initializer_range * model.initializer_range;
  // Mean square of what comes out of GELU or SiLU, about.
  const double activated = 0.25 * inner + 0.48 * inner * inner / (1 + inner);
  const double product = model.gated ? activated * inner : activated;
  return 2 * std::sqrt(hidden * share * share /
                       (static_cast<double>(model.layers) * widening * inner * product));
}

constexpr double kAttentionShare = 0.1;

// What each weight is drawn from: deviation 0 stands for a constant.
struct Distribution {
  float mean = 0;
  float deviation = 0;
};

bool ends_with_any(const std::string& name, std::initializer_list<const char*> ends) {
  return std::any_of(ends.begin(), ends.end(),
                     [&](const char* end) { return name.ends_with(end); });
}

Distribution distribution(const FamilyModel& model, const WeightSpec& weight) {
  const std::string& name = weight.name;
  const bool norm = name.find("norm") != std::string::npos || name.starts_with("ln_f.");
  if (norm && name.ends_with(".weight")) {
    // Where results are normalised, how wide their matrices are drawn changes nothing.
    const bool of_attention = name.ends_with("post_attention_layernorm.weight");
    const double gain = model.norms_results && of_attention ? kAttentionShare : 1;
    return {static_cast<float>(model.norm_weight + gain - 1), 0};
  }
  double deviation = model.initializer_range;
  if (ends_with_any(name, {"mlp.dense_4h_to_h.weight", "mlp.down_proj.weight"})) {
    deviation *= mlp_gain(model);
  }
  if (ends_with_any(name, {"self_attention.dense.weight", "self_attn.o_proj.weight"})) {
    deviation *= mlp_gain(model) * kAttentionShare;
  }
  return {0, static_cast<float>(deviation)};
}

void append_values(const Distribution& from, DType dtype, std::int64_t elements, Rng& rng,
                   const AppendBytes& append) {
  std::vector<std::byte> piece;
  const auto fill = [&](auto zero) {
    using Stored = decltype(zero);
    piece.resize(static_cast<std::size_t>(std::min(elements, kPieceElements)) * sizeof(Stored));
    auto* values = reinterpret_cast<Stored*>(piece.data());
    for (std::int64_t at = 0; at < elements; at += kPieceElements) {
      const std::int64_t count = std::min(kPieceElements, elements - at);
      for (std::int64_t i = 0; i < count; ++i) {
        values[i] = static_cast<Stored>(from.mean + from.deviation * nearly_normal(rng));
      }
      append(piece.data(), count * static_cast<std::int64_t>(sizeof(Stored)));
    }
  };
  switch (dtype) {
    case DType::kFloat32: return fill(float{});
    case DType::kFloat16: return fill(c10::Half{});
    default: return fill(c10::BFloat16{});
  }
}

json config_of(const RandomModelOptions& options) {
  std::optional<json> config = named_config(options.name);
  if (!config) {
    throw UsageError(fmt::format("model '{}' is not known; write one of {}, or {}", options.name,
                                 fmt::join(published_configs(), ", "),
                                 fmt::join(custom_examples(), " or ")));
  }
  if (options.dtype != DType::kFloat32 && options.dtype != DType::kBFloat16 &&
      options.dtype != DType::kFloat16) {
    throw UsageError(
        fmt::format("dtype {} is not one to store weights in; write float32, bfloat16 or float16",
                    dtype_name(options.dtype)));
  }
  (*config)["torch_dtype"] = dtype_name(options.dtype);
  return *std::move(config);
}

// The weights of a model as its checkpoint has them.
std::vector<WeightSpec> weights_of(const FamilyModel& model, DType dtype) {
  ScriptWriter writer({}, model.task);
  model.write(writer);
  std::vector<WeightSpec> weights;
  for (const ModelWeight& weight : writer.weights()) {
    const std::string& name = weight.spec.name;
    const bool head = name.starts_with("lm_head.") || name.starts_with("score.");
    weights.push_back({head ? name : model.prefixes.front() + name, dtype, weight.spec.shape});
  }
  return weights;
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw InputError(fmt::format("{}: cannot be made: {}", folder.string(), error.message()));
  for (const char* file : {"config.json", "model.safetensors", "model.safetensors.index.json"}) {
    if (fs::exists(folder / file, error)) {
      throw InputError(
          fmt::format("{}: holds a model already ({}); name a new folder", folder.string(), file));
    }
  }
}

}  // namespace

std::vector<std::string> published_models() { return published_configs(); }

void write_random_model(const RandomModelOptions& options,
                        const std::function<void(double)>& progress) {
  const json config = config_of(options);
  const FamilyModel model = read_family_model({config, options.name});
  make_folder(options.folder);
  const std::vector<WeightSpec> weights = weights_of(model, options.dtype);
  double total = 0;
  for (const WeightSpec& weight : weights) total += static_cast<double>(weight.bytes());
  double done = 0;
  write_safetensors(options.folder / "model.safetensors", weights,
                    [&](const WeightSpec& weight, const AppendBytes& append) {
                      Rng rng(Rng(options.seed).next() ^ checksum(weight.name));
                      const std::int64_t elements = weight.bytes() / dtype_bytes(weight.dtype);
                      append_values(distribution(model, weight), weight.dtype, elements, rng,
                                    [&](const std::byte* bytes, std::int64_t count) {
                                      append(bytes, count);
                                      done += static_cast<double>(count);
                                      progress(done / total);
                                    });
                    });
  write_file_atomically(options.folder / "config.json",
                        [&](std::ostream& out) { out << config.dump(2) << '\n'; });
}

}  // namespace lingua
