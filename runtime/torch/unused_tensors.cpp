#include "runtime/torch/unused_tensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/torch/config.h"

namespace lingua {
namespace {

constexpr std::size_t kNamed = 5;
constexpr std::int64_t kPieceBytes = 1 << 20;

bool is_computed(std::string_view name) {
  constexpr std::array<std::string_view, 5> kBuffers = {
      "rotary_emb.inv_freq", "rotary_emb_local.inv_freq", "self_attention.masked_bias",
      "self_attention.scale_mask_softmax.causal_mask", "position_ids"};
  return std::any_of(kBuffers.begin(), kBuffers.end(),
                     [&](std::string_view buffer) { return name.ends_with(buffer); });
}

bool is_of_images(std::string_view name) {
  if (name.starts_with("model.")) name.remove_prefix(6);
  return name.starts_with("vision_tower.") || name.starts_with("multi_modal_projector.");
}

bool same(const StoredWeights& stored, const WeightSpec& a, const WeightSpec& b) {
  if (a.dtype != b.dtype || a.shape != b.shape) return false;
  std::vector<std::byte> of_a(kPieceBytes);
  std::vector<std::byte> of_b(kPieceBytes);
  for (std::int64_t at = 0; at < a.bytes(); at += kPieceBytes) {
    const std::int64_t bytes = std::min(kPieceBytes, a.bytes() - at);
    stored.read(a.name, at, bytes, of_a.data());
    stored.read(b.name, at, bytes, of_b.data());
    if (std::memcmp(of_a.data(), of_b.data(), static_cast<std::size_t>(bytes)) != 0) return false;
  }
  return true;
}

}  // namespace

std::optional<std::string> note_of_unused(const StoredWeights& stored, const TensorsRead& read) {
  std::vector<std::string> unused;
  for (const std::string& name : stored.names()) {
    if (read.names.count(name) != 0 || is_computed(name) || is_of_images(name)) continue;
    const bool is_head = name == "lm_head.weight" || name.ends_with(".lm_head.weight");
    if (is_head && !read.tied.empty()) {
      if (same(stored, *stored.find(name), *stored.find(read.tied))) continue;
      throw InputError(fmt::format(
          "{}: tensor {} differs from {}, but {} ties the two (tie_word_embeddings); write false "
          "there if the model was trained so, or take the tensor out",
          stored.path(), ConfigFields::shown(name), ConfigFields::shown(read.tied), read.config));
    }
    unused.push_back(ConfigFields::shown(name));
  }
  if (unused.empty()) return std::nullopt;
  const std::size_t more = unused.size() - std::min(unused.size(), kNamed);
  unused.resize(unused.size() - more);
  return fmt::format("{}: not used, because {} asks for no such tensors: {}{}", stored.path(),
                     read.config, fmt::join(unused, ", "),
                     more == 0 ? "" : fmt::format(" and {} more", more));
}

}  // namespace lingua
