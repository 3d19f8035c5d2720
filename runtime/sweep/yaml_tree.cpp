#include "runtime/sweep/yaml_tree.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/text/tokenizer.h"

namespace lingua {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostBytes = 4 << 20;
constexpr std::size_t kDeepest = 32;
constexpr std::size_t kMostFields = 1000;
constexpr std::size_t kMostMemory = 16'000'000;
constexpr std::size_t kMemoryOfAValue = 64;  // besides its text
constexpr double kMostWhole = 9007199254740992.0;

template <typename T>
std::optional<T> number_in(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [rest, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc() || rest != end) return std::nullopt;
  return value;
}

Json value_of(const std::string& text) {
  if (text == "true" || text == "false") return text == "true";
  // As numbers are written back, so that nothing but a number becomes one (007, +1, 0x10 stay texts).
  if (const auto whole = number_in<std::int64_t>(text); whole && std::to_string(*whole) == text)
    return *whole;
  if (const auto whole = number_in<std::uint64_t>(text); whole && std::to_string(*whole) == text)
    return *whole;
  const bool may_be_real = text.find_first_not_of("0123456789.eE+-") == text.npos &&
                           text.find_first_of(".eE") != text.npos;
  if (const auto real = may_be_real ? number_in<double>(text) : std::nullopt;
      real && std::isfinite(*real)) {
    if (*real == std::floor(*real) && std::abs(*real) < kMostWhole)
      return static_cast<std::int64_t>(*real);
    return *real;
  }
  return text;
}

// Builds the value of the first document, and counts the documents.
class Builder : public YAML::EventHandler {
 public:
  using Mark = YAML::Mark;
  using Anchor = YAML::anchor_t;
  using Style = YAML::EmitterStyle::value;

  explicit Builder(const std::string& origin) : origin_(origin) {}

  void OnDocumentStart(const Mark& mark) override {
    if (++documents_ > 1) fail(mark, "holds a second YAML document; write one");
  }
  void OnDocumentEnd() override {}
  void OnNull(const Mark& mark, Anchor anchor) override { take(mark, nullptr, anchor, 0); }
  void OnScalar(const Mark& mark, const std::string& tag, Anchor anchor,
                const std::string& text) override {
    if (tag != "?" && tag != "!" && !tag.empty()) fail_tag(mark, tag);
    take(mark, tag == "!" ? Json(text) : value_of(text), anchor, text.size());
  }
  void OnAlias(const Mark& mark, Anchor anchor) override {
    const auto known = anchored_.find(anchor);
    if (known == anchored_.end()) fail(mark, "an alias stands inside what it stands for");
    take(mark, known->second.value, 0, known->second.memory);
  }
  void OnSequenceStart(const Mark& mark, const std::string& tag, Anchor anchor, Style) override {
    begin(mark, tag, Json::array(), anchor);
  }
  void OnMapStart(const Mark& mark, const std::string& tag, Anchor anchor, Style) override {
    begin(mark, tag, Json::object(), anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapEnd() override { end(); }

  bool is_whole() const { return documents_ == 1 && open_.empty(); }
  Json take_root() { return std::move(root_); }

 private:
  struct Open {
    Json value;
    Mark mark;
    Anchor anchor = 0;
    std::size_t memory = kMemoryOfAValue;
    std::optional<std::string> key;  // of a mapping whose next value is awaited
  };
  struct Anchored {
    Json value;
    std::size_t memory = 0;
  };

  [[noreturn]] void fail(const Mark& mark, const std::string& what) const {
    throw InputError(fmt::format("{}: line {}: {}", origin_, mark.line + 1, what));
  }
  [[noreturn]] void fail_tag(const Mark& mark, const std::string& tag) const {
    fail(mark,
         fmt::format("the tag '{}' is not accepted; write values without tags", one_line(tag, 80)));
  }

  void begin(const Mark& mark, const std::string& tag, Json empty, Anchor anchor) {
    if (tag != "?" && !tag.empty()) fail_tag(mark, tag);
    if (open_.size() >= kDeepest)
      fail(mark, fmt::format("is nested deeper than {} levels", kDeepest));
    open_.push_back({std::move(empty), mark, anchor, kMemoryOfAValue, {}});
  }

  void end() {
    Open done = std::move(open_.back());
    open_.pop_back();
    take(done.mark, std::move(done.value), done.anchor, done.memory);
  }

  void take(const Mark& mark, Json value, Anchor anchor, std::size_t memory) {
    memory += kMemoryOfAValue;
    made_ += memory;
    if (made_ > kMostMemory)
      fail(mark,
           fmt::format("holds more than {} bytes when its aliases are written out", kMostMemory));
    if (anchor != 0) anchored_[anchor] = {value, memory};
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& into = open_.back();
    into.memory += memory;
    if (into.value.is_array()) {
      into.value.push_back(std::move(value));
    } else if (!into.key) {
      take_key(mark, value, into);
    } else {
      into.value.emplace(*into.key, std::move(value));
      into.key.reset();
    }
  }

  void take_key(const Mark& mark, const Json& value, Open& into) const {
    if (value.is_structured() || value.is_null()) fail(mark, "a field's name is no text");
    std::string key = value.is_string() ? value.get<std::string>() : value.dump();
    if (into.value.contains(key))
      fail(mark, fmt::format("'{}' stands twice; write it once", one_line(key, 80)));
    if (into.value.size() >= kMostFields)
      fail(mark, fmt::format("a mapping has more than {} fields", kMostFields));
    into.key = std::move(key);
  }

  const std::string& origin_;
  int documents_ = 0;
  std::size_t made_ = 0;
  std::vector<Open> open_;
  std::map<Anchor, Anchored> anchored_;
  Json root_;
};

}  // namespace

Json parse_yaml(const std::string& text, const std::string& origin) {
  if (text.size() > kMostBytes)
    throw InputError(fmt::format("{}: larger than {} bytes", origin, kMostBytes));
  check_utf8(text, origin);
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    Builder builder(origin);
    // Not until there is none: yaml-cpp finds documents without end in a text that begins with a comma.
    if (parser.HandleNextDocument(builder)) parser.HandleNextDocument(builder);
    if (!builder.is_whole()) throw InputError(fmt::format("{}: holds no YAML document", origin));
    return builder.take_root();
  } catch (const YAML::Exception& error) {
    throw InputError(fmt::format("{}: line {}: is not YAML: {}", origin, error.mark.line + 1,
                                 one_line(error.msg, 120)));
  }
}

}  // namespace lingua
