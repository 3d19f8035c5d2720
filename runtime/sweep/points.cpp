#include "runtime/sweep/points.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"

namespace lingua {
namespace {

using nlohmann::json;

jinja::Value value_of(const json& value) {
  if (value.is_boolean()) return jinja::Value(value.get<bool>());
  if (value.is_number_integer()) return jinja::Value(value.get<std::int64_t>());
  if (value.is_number()) return jinja::Value(value.get<double>());
  if (value.is_string()) return jinja::Value(value.get<std::string>());
  if (!value.is_array()) return {};
  jinja::List items;
  for (const json& one : value) items.push_back(value_of(one));
  return jinja::Value::list(std::move(items));
}

std::optional<std::int64_t> whole_in(const json& object, const char* name) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_integer()) return std::nullopt;
  return found->get<std::int64_t>();
}

}  // namespace

std::string SweepShard::text() const { return fmt::format("{}/{}", index + 1, count); }

SweepShard parse_shard(std::string_view text) {
  SweepShard shard;
  const char* end = text.data() + text.size();
  const auto [slash, failed] = std::from_chars(text.data(), end, shard.index);
  const bool has_slash = failed == std::errc() && slash != end && *slash == '/';
  const auto [rest, failed_too] = std::from_chars(has_slash ? slash + 1 : end, end, shard.count);
  if (!has_slash || failed_too != std::errc() || rest != end || shard.index < 1 ||
      shard.index > shard.count || shard.count > kMostSweepPoints) {
    throw UsageError(fmt::format(
        "`shard`: '{}' is not accepted; write I/N with I from 1 to N, N up to {}, as in 1/8",
        one_line(text, 40), kMostSweepPoints));
  }
  --shard.index;
  return shard;
}

SweepPoint SweepPoints::at(std::uint64_t number) const {
  LINGUA_CHECK(number < size_, "{} of {}", number, size_);
  SweepPoint point{number, spec_.base, json::object()};
  for (auto axis = spec_.axes.rbegin(); axis != spec_.axes.rend(); ++axis) {
    point.axes.update(axis->at(number % axis->size()));
    number /= axis->size();
  }
  point.settings.update(point.axes);
  return point;
}

bool SweepPoints::is_excluded(const SweepPoint& point) const {
  if (spec_.conditions.empty()) return false;
  jinja::Entries variables;
  for (const std::string& setting : spec_.settings) {
    const auto found = point.settings.find(setting);
    std::string name = setting;
    std::replace(name.begin(), name.end(), '-', '_');
    variables.emplace_back(std::move(name),
                           found == point.settings.end() ? jinja::Value() : value_of(*found));
  }
  try {
    return std::any_of(spec_.conditions.begin(), spec_.conditions.end(),
                       [&](const jinja::Condition& one) { return one.holds(variables); });
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}, for {}", error.what(), one_line(point.settings.dump(), 300)));
  }
}

std::optional<SweepPoint> SweepPoints::next(std::uint64_t number, const SweepShard& shard) const {
  const std::uint64_t past = number % shard.count;
  number += (shard.index + shard.count - past) % shard.count;
  for (; number < size_; number += shard.count) {
    SweepPoint point = at(number);
    if (!is_excluded(point)) return point;
  }
  return std::nullopt;
}

std::uint64_t SweepPoints::count(const SweepShard& shard) const {
  if (spec_.conditions.empty())
    return shard.index < size_ ? (size_ - shard.index - 1) / shard.count + 1 : 0;
  std::uint64_t count = 0;
  for (auto point = next(0, shard); point; point = next(point->number + 1, shard)) ++count;
  return count;
}

SweepConfiguration configuration_of(const std::string& what, const json& settings,
                                    const ResolveSettings& resolve) {
  SweepConfiguration configuration;
  json resolved = resolve ? resolve(settings) : json::object();
  configuration.seed = whole_in(settings, "seed");
  if (!configuration.seed) configuration.seed = whole_in(resolved, "seed");
  configuration.content = {
      {"what", what}, {"settings", settings}, {"resolved", std::move(resolved)}};
  configuration.id = checksum128(configuration.content.dump());
  return configuration;
}

}  // namespace lingua
