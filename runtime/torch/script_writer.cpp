#include "runtime/torch/script_writer.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/torch/quantise.h"

namespace lingua {
namespace {

// TorchScript's numbers of the dtypes.
constexpr int kFloat32 = 6;
constexpr int kBFloat16 = 15;

}  // namespace

ScriptWriter::ScriptWriter(const ImportOptions& options, Task task)
    : options_(options), task_(task) {
  LINGUA_CHECK(options.dtype == DType::kFloat32 || options.dtype == DType::kBFloat16);
}

void ScriptWriter::positions() { line("total = new_tokens + {}", past()); }

void ScriptWriter::rotary_tables(const Rotary& rotary) {
  if (!rotary.stretch) {
    line("frequencies = torch.tensor([{:#.9g}])", fmt::join(rotary.frequencies, ", "));
  } else {
    stretches_ = true;
    const auto size = static_cast<double>(2 * rotary.frequencies.size());
    const auto& [theta, factor, trained] = *rotary.stretch;
    std::vector<double> exponents;
    for (std::size_t i = 0; i < rotary.frequencies.size(); ++i) {
      exponents.push_back(-2 * static_cast<double>(i) / size);
    }
    line("reach = torch.clamp(torch.full([1], total, dtype={}), {})", kFloat32, trained);
    line("stretch = torch.pow(reach * {:#.17g} - {:#.17g}, {:#.17g})",
         factor / static_cast<double>(trained), factor - 1, size / (size - 2));
    line("frequencies = torch.pow(stretch * {:#.17g}, torch.tensor([{:#.9g}]))", theta,
         fmt::join(exponents, ", "));
  }
  line("angles = torch.outer(torch.arange({}, total, dtype={}), frequencies)", past(), kFloat32);
  for (const char* wave : {"cos", "sin"}) {
    line("{}_{} = lingua.{}(angles, {:#.17g})", rotary.name, wave, wave, rotary.attention_factor);
  }
}

std::string ScriptWriter::weight(const std::string& name, const std::vector<std::int64_t>& shape) {
  return weight(name, shape, options_.dtype);
}

std::string ScriptWriter::weight(const std::string& name, const std::vector<std::int64_t>& shape,
                                 DType dtype) {
  return declare({name, dtype, shape}, std::nullopt);
}

std::string ScriptWriter::declare(const WeightSpec& spec, const std::optional<RowPiece>& piece) {
  auto known = std::find_if(weights_.begin(), weights_.end(),
                            [&](const ModelWeight& other) { return other.spec.name == spec.name; });
  if (known == weights_.end()) {
    std::string attribute = spec.name;
    for (const char mark : {'.', ':', '[', ']'})
      std::replace(attribute.begin(), attribute.end(), mark, '_');
    known = weights_.insert(weights_.end(), {attribute, spec, piece});
  }
  LINGUA_CHECK(known->spec == spec && known->piece == piece, "weight {} is used in two shapes",
               spec.name);
  return "self." + known->attribute;
}

std::string ScriptWriter::matrix(const std::string& name, std::int64_t rows, std::int64_t width) {
  const WeightSpec plain{name, options_.dtype, {rows, width}};
  const WeightSpec held = options_.int8 ? int8_weight(plain) : plain;
  return weight(held.name, held.shape, held.dtype);
}

std::vector<ScriptWriter::Piece> ScriptWriter::pieces(const std::string& name, std::int64_t rows,
                                                      std::int64_t width) {
  const std::int64_t count = options_.head_pieces.count;
  if (count == 1) return {{matrix(name, rows, width), 0}};
  std::vector<Piece> all;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t first = rows * i / count;
    const std::int64_t end = rows * (i + 1) / count;
    const WeightSpec plain{
        fmt::format("{}[{}:{}]", name, first, end), options_.dtype, {end - first, width}};
    all.push_back(
        {declare(options_.int8 ? int8_weight(plain) : plain, RowPiece{name, first, rows}), first});
  }
  return all;
}

std::string ScriptWriter::embedding(const std::string& tokens, const std::string& module,
                                    std::int64_t rows, std::int64_t size) {
  const std::vector<Piece> all = pieces(module + ".weight", rows, size);
  if (all.size() == 1 && !options_.int8)
    return fmt::format("torch.embedding({}, {})", all[0].weight, tokens);
  std::string found = "None";
  for (const Piece& piece : all) {
    const std::string next =
        fmt::format("lingua.embedding({}, {}, {}, {}, {}, {})", found, piece.weight, tokens,
                    piece.first, rows, is_bfloat16() ? kBFloat16 : kFloat32);
    if (&piece == &all.back()) return next;
    line("found = {}", next);
    found = "found";
  }
  return found;
}

std::string ScriptWriter::head(const std::string& in, const std::string& module, std::int64_t size,
                               std::int64_t rows) {
  std::vector<std::string> parts;
  const std::vector<Piece> all = pieces(module + ".weight", rows, size);
  if (all.size() == 1) return fmt::format("{}({}, {})", product(), in, all[0].weight);
  for (const Piece& piece : all) {
    line("part_{} = {}({}, {})", parts.size(), product(), in, piece.weight);
    parts.push_back(fmt::format("part_{}", parts.size()));
  }
  return fmt::format("torch.cat([{}], -1)", fmt::join(parts, ", "));
}

std::string ScriptWriter::linear(const std::string& in, const std::string& module,
                                 const LinearShape& shape) {
  const std::string factor = matrix(module + ".weight", shape.out, shape.in);
  if (!shape.bias) return fmt::format("{}({}, {})", product(), in, factor);
  return fmt::format("{}({}, {}, {})", product(), in, factor,
                     weight(module + ".bias", {shape.out}));
}

std::string ScriptWriter::layer_norm(const std::string& in, const std::string& module,
                                     std::int64_t size, double epsilon) {
  const std::string factor = weight(module + ".weight", {size});
  return fmt::format("lingua.layer_norm({}, {}, {}, {:#.9g})", in, factor,
                     weight(module + ".bias", {size}), epsilon);
}

void ScriptWriter::rms_norm(const std::string& out, const std::string& in,
                            const std::string& module, const RmsNorm& norm) {
  const DType dtype = norm.plus_one ? DType::kFloat32 : options_.dtype;
  line("{} = lingua.rms_norm({}, {}, {:#.9g}, {})", out, in,
       weight(module + ".weight", {norm.size}, dtype), norm.epsilon,
       norm.plus_one ? "True" : "False");
}

void ScriptWriter::rotate(const std::string& name, const std::string& tables) {
  line("{} = lingua.rotate({}, {}_cos, {}_sin)", name, name, tables, tables);
}

std::string ScriptWriter::state(const std::string& name, const std::vector<std::int64_t>& shape) {
  states_.push_back({name, shape});
  return name;
}

void ScriptWriter::attention(const AttentionShape& shape, const std::string& query,
                             const std::string& key, const std::string& value,
                             const std::string& slopes) {
  std::string keys = key;
  std::string values = value;
  if (options_.kv_cache) {
    const std::vector<std::int64_t> size = {shape.kv_heads, kCapacity, shape.head_dim};
    const std::string k = state(fmt::format("k_{}", shape.layer), size);
    const std::string v = state(fmt::format("v_{}", shape.layer), size);
    line("{}.narrow(1, cached_tokens, new_tokens).copy_({})", k, keys);
    line("{}.narrow(1, cached_tokens, new_tokens).copy_({})", v, values);
    keys = k + ".narrow(1, 0, total)";
    values = v + ".narrow(1, 0, total)";
  }
  line("context = lingua.attention({}, {}, {}, {}, {:#.17g}, {})", query, keys, values, slopes,
       shape.scale, shape.window);
}

void ScriptWriter::keep_needed_positions(const std::optional<std::int64_t>& padding) {
  if (task_ == Task::kClassifier && padding) {
    line("places = torch.arange(new_tokens) * torch.ne(tokens, {})", *padding);
    line("x = torch.index_select(x, 0, torch.amax(places, [0], True))");
  } else if (options_.head == Head::kLast || task_ == Task::kClassifier) {
    line("x = x[-1:]");
  }
}

void ScriptWriter::finish(double softcap) {
  if (is_bfloat16()) line("logits = logits.to(dtype={})", kFloat32);
  if (softcap > 0) line("logits = lingua.soft_cap(logits, {:#.9g})", softcap);
  if (takes_targets()) line("logits = lingua.log_likelihood(logits, targets)");
  line("return logits");
}

std::string ScriptWriter::source() const {
  std::string text = "def forward(self, tokens: Tensor";
  if (takes_targets()) text += ", targets: Tensor";
  text += ", new_tokens: int, cached_tokens: int";
  for (const ModelState& state : states_) text += fmt::format(", {}: Tensor", state.name);
  return text + ") -> Tensor:\n" + body_;
}

}  // namespace lingua
