#include "runtime/torch/families/rotary_parameters.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <string>

namespace lingua {

using nlohmann::json;

namespace {

constexpr double kMaxTheta = 1e12;
constexpr double kMaxFactor = 1e6;
constexpr const char* kScaling = "rope_scaling";
constexpr const char* kParameters = "rope_parameters";
constexpr const char* kTheta = "rope_theta";
constexpr const char* kTrained = "original_max_position_embeddings";

// theta^(-2i / head_dim).
std::vector<double> plain_frequencies(double theta, std::int64_t head_dim) {
  std::vector<double> all;
  for (std::int64_t i = 0; i < head_dim; i += 2) {
    all.push_back(std::pow(theta, -static_cast<double>(i) / static_cast<double>(head_dim)));
  }
  return all;
}

// The objects and fields around the one that is read.
class RotaryReader {
 public:
  RotaryReader(const ConfigFields& fields, std::int64_t head_dim) : f_(fields), dim_(head_dim) {
    f_.expect("partial_rotary_factor", 1.0, "1 is");
  }

  bool has(const char* object) const {
    return f_.find(object) != nullptr && !f_.object(object).values().empty();
  }

  // Without an object.
  Rotary plain(double theta) const {
    Rotary rotary;
    rotary.frequencies = plain_frequencies(theta, dim_);
    return rotary;
  }

  // From the object that holds type and scaling.
  Rotary read(const ConfigFields& object, double theta) {
    for (const auto& [key, value] : object.values().items()) {
      if (value.is_object()) object.refuse(key, "is an object; this family has one set of them");
    }
    object.expect("partial_rotary_factor", 1.0, "1 is");
    const std::string type = type_of(object);
    Rotary rotary = plain(object.number(kTheta, 0, kMaxTheta, theta));
    used_ = {"rope_type", "type", kTheta, "partial_rotary_factor"};
    if (type == "linear") {
      const double factor = read_factor(object);
      for (double& frequency : rotary.frequencies) frequency /= factor;
    } else if (type == "dynamic") {
      read_dynamic(object, object.number(kTheta, 0, kMaxTheta, theta), rotary);
    } else if (type == "yarn") {
      read_yarn(object, object.number(kTheta, 1, kMaxTheta, theta), rotary);
    } else if (type == "llama3") {
      read_llama3(object, rotary);
    } else if (type != "default") {
      const std::string why = type == "longrope" || type == "su"
                                  ? "; it has two sets of frequencies and would turn the positions "
                                    "that are kept anew when a sequence grows long"
                                  : "";
      object.refuse(object.find("rope_type") != nullptr ? "rope_type" : "type",
                    fmt::format("{} is not supported{}; \"default\", \"linear\", \"dynamic\", "
                                "\"yarn\" and \"llama3\" are",
                                ConfigFields::shown(type), why));
    }
    name_unused(object, type);
    return rotary;
  }

  void name(const std::string& note) { notes_.push_back(note); }
  const std::vector<std::string>& notes() const { return notes_; }
  std::int64_t reach() const { return reach_; }

 private:
  // Errors: InputError where two names of it disagree, or there is a scaling and no name.
  static std::string type_of(const ConfigFields& object) {
    const std::string older = object.text("type", "");
    const std::string type = object.text("rope_type", older.empty() ? "default" : older);
    if (!older.empty() && older != type) {
      object.refuse("type", fmt::format("{} contradicts rope_type {}", ConfigFields::shown(older),
                                        ConfigFields::shown(type)));
    }
    if (!older.empty() || object.find("rope_type") != nullptr) return type;
    for (const auto& [key, value] : object.values().items()) {
      if (key == kTheta || key == "partial_rotary_factor" || value.is_null()) continue;
      object.refuse("rope_type",
                    fmt::format("is missing beside '{}'; \"default\", \"linear\", \"dynamic\", "
                                "\"yarn\" and \"llama3\" are possible",
                                key));
    }
    return type;
  }

  double read_factor(const ConfigFields& object) {
    used_.insert("factor");
    return object.number("factor", 0, kMaxFactor);
  }

  // Like transformers, which takes 0 for a number that is not there.
  double optional(const ConfigFields& object, const char* field, double otherwise) {
    used_.insert(field);
    const json* value = object.find(field);
    if (value != nullptr && value->is_number() && value->get<double>() == 0) return otherwise;
    return object.number(field, 0, kMaxFactor, otherwise);
  }

  // The length that scaled positions are stretched from.
  double trained_length(const ConfigFields& object) {
    used_.insert(kTrained);
    const bool inside = object.find(kTrained) != nullptr;
    const std::int64_t length = inside ? object.integer(kTrained, kMaxPositions)
                                       : f_.integer("max_position_embeddings", kMaxPositions);
    if (f_.find(kTrained) != nullptr && f_.integer(kTrained, kMaxPositions) != length) {
      f_.refuse(kTrained,
                fmt::format("{} is read by transformers 5 and not by 4, which takes {}; write it "
                            "beside the rope_type alone",
                            f_.integer(kTrained, kMaxPositions), length));
    }
    return static_cast<double>(length);
  }

  void reaches(double positions) {
    reach_ = static_cast<std::int64_t>(std::min(positions, double{kMaxPositions}));
  }

  // Source: _compute_dynamic_ntk_parameters.
  void read_dynamic(const ConfigFields& object, double theta, Rotary& rotary) {
    const double factor = read_factor(object);
    const std::int64_t trained = f_.integer("max_position_embeddings", kMaxPositions);
    if (dim_ <= 2) object.refuse("rope_type", "\"dynamic\" needs a head_dim above 2");
    if (factor < 1) object.refuse("factor", fmt::format("{} is below 1", factor));
    rotary.stretch = {theta, factor, trained};
    reaches(factor * static_cast<double>(trained));
  }

  // Source: _compute_yarn_parameters. Fast frequencies are kept, slow ones divided by the factor,
  // those between partly.
  void read_yarn(const ConfigFields& object, double theta, Rotary& rotary) {
    const double trained = trained_length(object);
    used_.insert("factor");
    const bool implied = object.has("factor") && object.find("factor") == nullptr;
    const double factor =
        implied
            ? static_cast<double>(f_.integer("max_position_embeddings", kMaxPositions)) / trained
            : read_factor(object);
    const auto magnitude = [factor](double scale) {
      return factor <= 1 ? 1 : 0.1 * scale * std::log(factor) + 1;
    };
    const double mscale = optional(object, "mscale", 0);
    const double mscale_all = optional(object, "mscale_all_dim", 0);
    used_.insert("attention_factor");
    rotary.attention_factor = object.number(
        "attention_factor", 0, kMaxFactor,
        mscale > 0 && mscale_all > 0 ? magnitude(mscale) / magnitude(mscale_all) : magnitude(1));
    const auto pair_of = [&](double turns) {  // the one that turns so often in the trained length
      return static_cast<double>(dim_) * std::log(trained / (turns * 2 * std::numbers::pi)) /
             (2 * std::log(theta));
    };
    double low = pair_of(optional(object, "beta_fast", 32));
    double high = pair_of(optional(object, "beta_slow", 1));
    used_.insert("truncate");
    if (object.boolean("truncate", true)) {
      low = std::floor(low);
      high = std::ceil(high);
    }
    low = std::max(low, 0.0);
    high = std::min(high, static_cast<double>(dim_ - 1));
    if (low == high) high += 0.001;
    for (std::size_t i = 0; i < rotary.frequencies.size(); ++i) {
      const double slow = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
      rotary.frequencies[i] *= slow / factor + (1 - slow);
    }
    reaches(factor * trained);
  }

  // Source: _compute_llama3_parameters. Long waves are stretched by the factor, short ones are kept,
  // those between partly.
  void read_llama3(const ConfigFields& object, Rotary& rotary) {
    const double factor = read_factor(object);
    const double low = object.number("low_freq_factor", 0, kMaxFactor);
    const double high = object.number("high_freq_factor", 0, kMaxFactor);
    used_.insert({"low_freq_factor", "high_freq_factor"});
    if (high <= low) {
      object.refuse("high_freq_factor",
                    fmt::format("{} is not above low_freq_factor {}", high, low));
    }
    const double trained = trained_length(object);
    for (double& frequency : rotary.frequencies) {
      const double turns = trained * frequency / (2 * std::numbers::pi);
      const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
      frequency = (1 - kept) * frequency / factor + kept * frequency;
    }
  }

  void name_unused(const ConfigFields& object, const std::string& type) {
    std::vector<std::string> unused;
    for (const auto& [key, value] : object.values().items()) {
      if (!value.is_null() && used_.count(key) == 0) unused.push_back(ConfigFields::shown(key));
    }
    if (unused.empty()) return;
    name(object.message("rope_type", fmt::format("{} makes no use of {}", ConfigFields::shown(type),
                                                 fmt::join(unused, ", "))));
  }

  const ConfigFields& f_;
  std::int64_t dim_;
  std::set<std::string> used_;
  std::vector<std::string> notes_;
  std::int64_t reach_ = 0;
};

// The theta beside the objects; a note where one inside wins over another outside.
double theta_beside(const ConfigFields& fields, const char* field, double otherwise,
                    const ConfigFields* inside, RotaryReader& reader) {
  const double theta = fields.number(field, 0, kMaxTheta, otherwise);
  if (inside == nullptr || inside->find(kTheta) == nullptr || fields.find(field) == nullptr) {
    return theta;
  }
  const double used = inside->number(kTheta, 0, kMaxTheta);
  if (used != theta) {
    reader.name(
        fields.message(field, fmt::format("{} is not used; rope_parameters have {}", theta, used)));
  }
  return theta;
}

// What `rope_scaling` makes, which both versions read.
Rotary read_scaling(const ConfigFields& fields, double otherwise, RotaryReader& reader) {
  const ConfigFields scaling = fields.object(kScaling);
  const double theta = fields.number(kTheta, 0, kMaxTheta, otherwise);
  const double inside = scaling.number(kTheta, 0, kMaxTheta, theta);
  if (inside != theta && fields.find(kTheta) != nullptr) {
    scaling.refuse(kTheta,
                   fmt::format("{} contradicts field 'rope_theta': {}; transformers 4 reads "
                               "that one, 5 this one",
                               inside, theta));
  }
  if (inside != theta) {
    reader.name(scaling.message(
        kTheta, fmt::format("{} is used, as by transformers 5; 4 would take {}", inside, theta)));
  }
  return reader.read(scaling, theta);
}

// Without Gemma 3's kinds.
Rotary read_flat(const ConfigFields& fields, double theta, RotaryReader& reader) {
  if (reader.has(kScaling)) {
    if (reader.has(kParameters) && fields.values()[kParameters] != fields.values()[kScaling]) {
      reader.name(fields.message(kParameters, "is not used; rope_scaling is, as in transformers"));
    }
    return read_scaling(fields, theta, reader);
  }
  if (!reader.has(kParameters)) return reader.plain(fields.number(kTheta, 0, kMaxTheta, theta));
  const ConfigFields object = fields.object(kParameters);
  return reader.read(object, theta_beside(fields, kTheta, theta, &object, reader));
}

void take_results(const RotaryReader& reader, FamilyModel* model) {
  model->notes.insert(model->notes.end(), reader.notes().begin(), reader.notes().end());
  if (model->max_positions > 0) {
    model->max_positions = std::max(model->max_positions, reader.reach());
  }
}

ConfigFields kind_of(const ConfigFields& kinds, const char* kind) {
  const ConfigFields all = kinds.with_defaults({{kind, {{"rope_type", "default"}}}});
  const ConfigFields object = all.object(kind);
  if (object.find("truncate") != nullptr && !object.boolean("truncate", true)) {
    object.refuse("truncate", "false is not supported; transformers 5 does not read it there");
  }
  return object;
}

}  // namespace

Rotary read_rotary(const ConfigFields& fields, double theta, std::int64_t head_dim,
                   FamilyModel* model) {
  RotaryReader reader(fields, head_dim);
  Rotary rotary = read_flat(fields, theta, reader);
  rotary.name = "rotary";
  take_results(reader, model);
  return rotary;
}

std::vector<Rotary> read_rotaries_by_kind(const ConfigFields& fields, double theta,
                                          double local_theta, std::int64_t head_dim,
                                          FamilyModel* model) {
  constexpr const char* kFull = "full_attention";
  constexpr const char* kSliding = "sliding_attention";
  constexpr const char* kLocalTheta = "rope_local_base_freq";
  RotaryReader reader(fields, head_dim);
  const bool scaled = reader.has(kScaling);
  const bool has_kinds = reader.has(kParameters) && (fields.object(kParameters).has(kFull) ||
                                                     fields.object(kParameters).has(kSliding));
  if (scaled && fields.object(kScaling).find("rope_type") == nullptr) {
    fields.object(kScaling).refuse("rope_type", "is missing; this family reads no older 'type'");
  }
  Rotary full;
  Rotary sliding = reader.plain(fields.number(kLocalTheta, 0, kMaxTheta, local_theta));
  if (has_kinds) {
    const ConfigFields kinds = fields.object(kParameters);
    for (const auto& [key, value] : kinds.values().items()) {
      if (key != kFull && key != kSliding) {
        kinds.refuse(key, fmt::format("is not supported beside '{}' and '{}'", kFull, kSliding));
      }
    }
    const Rotary local = sliding;
    const ConfigFields of_sliding = kind_of(kinds, kSliding);
    sliding = reader.read(of_sliding,
                          theta_beside(fields, kLocalTheta, local_theta, &of_sliding, reader));
    const ConfigFields of_full = kind_of(kinds, kFull);
    if (scaled) {  // transformers 5 lays it over the kind's object, 4 reads nothing else
      const double beside = fields.number(kTheta, 0, kMaxTheta, theta);
      full = reader.read(fields.object(kScaling).with_defaults(of_full.values()), beside);
      RotaryReader older(fields, head_dim);
      if (!(full == read_scaling(fields, theta, older) && sliding == local)) {
        fields.refuse(kParameters,
                      "and 'rope_scaling' are both there, and transformers 4 and 5 make "
                      "different positions of them; one of both is read");
      }
    } else {
      full = reader.read(of_full, theta_beside(fields, kTheta, theta, &of_full, reader));
    }
  } else {
    if (!scaled && reader.has(kParameters)) {
      fields.refuse(kParameters, fmt::format("has neither '{}' nor '{}'; this family has "
                                             "parameters for each kind of layer",
                                             kFull, kSliding));
    }
    full = read_flat(fields, theta, reader);
  }
  full.name = "full";
  sliding.name = "sliding";
  take_results(reader, model);
  return {full, sliding};
}

}  // namespace lingua
