#pragma once
// What a sweep is: settings that every point has, axes whose values are combined, and what is left out.
//
//   name: planners                 # the name of the file when left out
//   what: simulate                 # or plan
//   base: {model: bloom-560m, cluster: platforms/three-phones.yaml, max-tokens: 20}
//   axes:                          # the first varies slowest
//     planner: [even, dp, cbc]
//     seed: 1..20                  # or a list with ranges among its values
//     phones:                      # several settings at once, under a name of the file's own
//       - {cluster: platforms/three-phones.yaml, in-flight: 3}
//       - {cluster: platforms/eight-phones.yaml, in-flight: 8}
//   exclude: ['planner == "even" and in_flight > 3']   # Jinja; a setting that a point does not have is none
//   keep: [tokens_per_s, latency]  # results by their names, or by what stands before a dot in them
//
// Settings are named as on the command line without dashes. Values are texts, numbers, true or false, or lists of
// these for what may be given several times. Files are named relative to the folder that the program runs in.
// Limits: kMostSweepPoints, what is excluded included; those of yaml_tree.h.
// Threads: values without shared state. Ownership: axes hold ranges as their ends, however long they are.
// Errors: InputError "FILE: FIELD: what is wrong; what is accepted".

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/text/jinja/condition.h"

namespace lingua {

inline constexpr std::uint64_t kMostSweepPoints = 10'000'000;

// Empty where `what` (simulate or plan) takes a setting of this name; else what it takes, for a message.
using CheckSetting = std::function<std::string(const std::string& what, const std::string& name)>;

class SweepAxis {
 public:
  struct Range {
    std::int64_t first = 0;
    std::int64_t last = 0;
  };
  // The settings that a value gives, or whole numbers of the setting that the axis is named after.
  using Piece = std::variant<nlohmann::json, Range>;

  // REQUIRES: pieces is not empty; each object is of settings, each range has first <= last.
  SweepAxis(std::string name, std::vector<Piece> pieces);

  const std::string& name() const { return name_; }
  std::uint64_t size() const { return begins_.back(); }
  const std::vector<Piece>& pieces() const { return pieces_; }

  // The settings that value `index` gives. REQUIRES: index < size().
  nlohmann::json at(std::uint64_t index) const;

 private:
  std::string name_;
  std::vector<Piece> pieces_;
  std::vector<std::uint64_t> begins_;  // of each piece, and where the last one ends
};

struct SweepSpec {
  std::string name;
  std::string what;
  nlohmann::json base = nlohmann::json::object();
  std::vector<SweepAxis> axes;
  std::vector<std::string> exclude;
  std::vector<jinja::Condition> conditions;  // of exclude, in its order
  std::vector<std::string> settings;         // all that any point has, ascending
  std::vector<std::string> keep;             // empty: all
  std::string text;                          // that it was read from

  // How many combinations there are, with those that are excluded. One without axes.
  std::uint64_t size() const;

  // Equal for specifications that say the same, whatever their comments and layout.
  std::string digest() const;
};

SweepSpec load_sweep(const std::filesystem::path& file, const CheckSetting& check);

// The same from text; `origin` names it in errors, and the sweep where the text does not. Without `check` every
// name is taken: of a specification that was checked before.
SweepSpec parse_sweep(const std::string& yaml, const std::string& origin,
                      const CheckSetting& check = nullptr);

}  // namespace lingua
