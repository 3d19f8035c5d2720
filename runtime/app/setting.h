#pragma once
// One setting of a request: where its value goes, and what may be written there.
//
// Each is declared once, by a function that visits all settings of a request in turn; who visits decides what they
// are for: options of the command line (cli/declare.h), fields of a JSON object or a list (json_settings.h).
// Names: as on the command line without its dashes, "max-tokens". Messages and helps have them in backticks,
// "`max-tokens` 0: ...", which the program shows as options.
// Ownership: a setting refers to its request, which outlives it.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace lingua {

// Names of values that are paths.
inline constexpr const char* kInputPath = "INPUT";      // read, if it is there
inline constexpr const char* kOutputFile = "FILE";      // written at the end
inline constexpr const char* kOutputFolder = "FOLDER";  // made, with what is needed above it

// Whether it may stand on the command line without its option.
enum class WordUse { kNever, kToo, kOnly };

struct Setting {
  // Takes a value that is written as text. Errors: UsageError, which names the setting.
  using Parser = std::function<void(const std::string& text)>;
  // What is wrong with a value as it is written; empty when nothing is.
  using Problem = std::function<std::string(const std::string& text)>;
  // A list's values are given one by one.
  using Field = std::variant<bool*, int*, std::int64_t*, std::uint64_t*, double*, std::string*,
                             std::vector<std::string>*, Parser>;

  Setting(std::string setting_name, Field to, std::string what_for)
      : name(std::move(setting_name)), field(std::move(to)), help(std::move(what_for)) {}

  // Both ends are accepted.
  Setting in(double least, double most) && {
    range = {least, most};
    return std::move(*this);
  }
  Setting not_negative() && {
    is_not_negative = true;
    return std::move(*this);
  }
  // `kind`: of what passes, for lists; may be empty.
  Setting checked(Problem what_is_wrong, std::string kind) && {
    problem = std::move(what_is_wrong);
    problem_kind = std::move(kind);
    return std::move(*this);
  }
  // Seconds: more than 0, and no more than a few days.
  Setting time_limit() &&;
  Setting one_of(std::vector<std::string> texts) && {
    choices = std::move(texts);
    return std::move(*this);
  }
  Setting called(std::string value_name) && {
    type = std::move(value_name);
    return std::move(*this);
  }
  // Of a parser's, which has no value to show.
  Setting by_default(std::string text) && {
    default_text = std::move(text);
    return std::move(*this);
  }
  // What the field holds at first stands for something that the help tells.
  Setting default_untold() && {
    shows_default = false;
    return std::move(*this);
  }
  Setting required() && {
    is_required = true;
    return std::move(*this);
  }
  Setting as_word(WordUse use) && {
    word = use;
    return std::move(*this);
  }
  // On the command line several may follow one option.
  Setting several_at_once() && {
    takes_several = true;
    return std::move(*this);
  }
  // Not with these, which are visited before it.
  Setting not_with(std::vector<std::string> others) && {
    excludes = std::move(others);
    return std::move(*this);
  }
  // Only with this one, which is visited before it.
  Setting only_with(std::string other) && {
    needs = std::move(other);
    return std::move(*this);
  }

  std::string name;
  Field field;
  std::string help;
  std::string type = {};  // what a value is called; empty: by the field
  std::optional<std::pair<double, double>> range = {};
  bool is_not_negative = false;
  std::vector<std::string> choices = {};
  Problem problem = {};
  std::string problem_kind = {};
  std::string default_text = {};
  bool shows_default = true;
  bool is_required = false;
  WordUse word = WordUse::kNever;
  bool takes_several = false;
  std::vector<std::string> excludes = {};
  std::string needs = {};
};

class SettingVisitor {
 public:
  virtual ~SettingVisitor() = default;
  virtual void take(Setting setting) = 0;
};

// The settings of a request, in the order in which people read them.
using VisitSettings = std::function<void(SettingVisitor& visitor)>;

}  // namespace lingua
