#pragma once
// The points of a sweep, one after another: never all of them at once.
//
// Order: a point's number is its place among all combinations, from 0, the last axis varying fastest; what is
// excluded has a number and is passed over.
// Threads: const functions may be called from several threads. Determinism: functions of the specification.

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/sweep/spec.h"

namespace lingua {

// A part of a sweep that a machine of its own does: the points whose number modulo `count` is `index`.
struct SweepShard {
  std::uint64_t index = 0;
  std::uint64_t count = 1;

  bool has(std::uint64_t number) const { return number % count == index; }
  std::string text() const;  // "1/8" for the first of eight
};

// Errors: UsageError for what is not "I/N" with I from 1 to N.
SweepShard parse_shard(std::string_view text);

struct SweepPoint {
  std::uint64_t number = 0;
  nlohmann::json settings;  // all of them, by name
  nlohmann::json axes;      // those that the axes set
};

class SweepPoints {
 public:
  explicit SweepPoints(SweepSpec spec) : spec_(std::move(spec)), size_(spec_.size()) {}

  const SweepSpec& spec() const { return spec_; }
  // With those that are excluded.
  std::uint64_t size() const { return size_; }

  // REQUIRES: number < size().
  SweepPoint at(std::uint64_t number) const;

  // Errors: InputError where an expression cannot be computed of the point's settings.
  bool is_excluded(const SweepPoint& point) const;

  // The first point of the shard from `number` on that is not excluded.
  std::optional<SweepPoint> next(std::uint64_t number, const SweepShard& shard = {}) const;

  // How many points of the shard are not excluded. Goes through all of them where there are expressions.
  std::uint64_t count(const SweepShard& shard = {}) const;

 private:
  SweepSpec spec_;
  std::uint64_t size_;
};

// What settings mean besides their names: an object with what else decides the result, above all a digest of the
// content of each file that a setting names (file_digests.h), and defaults that may change.
using ResolveSettings = std::function<nlohmann::json(const nlohmann::json& settings)>;

// What a point is, whatever its number: equal where the result must be.
struct SweepConfiguration {
  std::string id;                    // 32 hexadecimal digits
  nlohmann::json content;            // what, settings, resolved
  std::optional<std::int64_t> seed;  // where a setting or what it resolves to has this name
};

// `resolve` may be null: then the settings are all.
SweepConfiguration configuration_of(const std::string& what, const nlohmann::json& settings,
                                    const ResolveSettings& resolve);

}  // namespace lingua
