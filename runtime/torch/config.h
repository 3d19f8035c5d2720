#pragma once
// The fields of a model's config.json, each read with the range that it must lie in.
//
// Errors: InputError "ORIGIN: field 'NAME': ..." for anything missing, of the wrong type, out of
// range or not supported, with what would be accepted; unknown fields are ignored, as in Hugging
// Face. A field that is null counts as missing where nothing else is said.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace lingua {

inline constexpr std::int64_t kMaxHidden = 1 << 17;
inline constexpr std::int64_t kMaxLayers = 1000;
inline constexpr std::int64_t kMaxVocabulary = 1 << 24;
inline constexpr std::int64_t kMaxHeadDim = 1 << 12;
inline constexpr std::int64_t kMaxPositions = std::int64_t{1} << 32;

class ConfigFields {
 public:
  // `origin` is the file, for messages. Errors: InputError when the value is no object.
  ConfigFields(nlohmann::json values, std::string origin);

  const std::string& origin() const { return origin_; }
  const nlohmann::json& values() const { return values_; }

  // "ORIGIN: field 'NAME': WHY", and the InputError that says so.
  std::string message(const std::string& field, const std::string& why) const;
  [[noreturn]] void refuse(const std::string& field, const std::string& why) const;

  // Null when the field is missing or null.
  const nlohmann::json* find(const std::string& field) const;
  // True when the field stands there, be it null.
  bool has(const std::string& field) const { return values_.contains(field); }

  // An integer from 1 to `high`; without `otherwise` it must be there.
  std::int64_t integer(const std::string& field, std::int64_t high,
                       std::optional<std::int64_t> otherwise = std::nullopt) const;
  // The same under either of two names, which must agree.
  std::int64_t integer(const std::string& field, const std::string& other, std::int64_t high) const;
  // Above `low` and at most `high`.
  double number(const std::string& field, double low, double high,
                std::optional<double> otherwise = std::nullopt) const;
  bool boolean(const std::string& field, bool otherwise) const;
  std::string text(const std::string& field, const std::string& otherwise) const;
  // One id or a list of them, below `vocabulary`; none when the field is missing.
  std::vector<std::int64_t> tokens(const std::string& field, std::int64_t vocabulary) const;
  // The fields of an object. REQUIRES: find(field) != nullptr.
  ConfigFields object(const std::string& field) const;

  // The same fields, and those of `defaults` that are missing or null.
  ConfigFields with_defaults(const nlohmann::json& defaults) const;

  // Refuses a field that is neither missing nor `only`, with the reason why nothing else will do.
  void expect(const std::string& field, const nlohmann::json& only, const std::string& why) const;

  // A value as a message can show it.
  static std::string shown(const nlohmann::json& value);

 private:
  std::int64_t checked(const std::string& field, const nlohmann::json& value, std::int64_t low,
                       std::int64_t high) const;

  nlohmann::json values_;
  std::string origin_;
  std::string prefix_;  // of the field's names in messages: "rope_scaling."
};

// config.json of a model folder.
ConfigFields read_config(const std::filesystem::path& folder);

}  // namespace lingua
