#include <fmt/format.h>

#include <map>
#include <memory>

#include "runtime/base/errors.h"
#include "runtime/text/text_steps.h"
#include "runtime/text/utf8.h"

namespace lingua {
namespace {

std::string stripped(const std::string& text, bool left, bool right) {
  std::size_t begin = text.size();
  std::size_t end = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Piece piece = utf8_piece(text, at);
    if (!is_white_space(piece.code_point)) {
      if (begin == text.size()) begin = at;
      end = at + piece.bytes;
    }
    at += piece.bytes;
  }
  if (!left) begin = 0;
  if (!right) end = text.size();
  return begin < end ? text.substr(begin, end - begin) : "";
}

Normalizer make_sequence(const JsonField& field) {
  std::vector<Normalizer> steps;
  for (const JsonField& step : field["normalizers"].items()) {
    steps.push_back(make_normalizer(step));
  }
  return [steps, where = field.where()](std::string text) {
    const std::size_t before = text.size();
    for (const Normalizer& step : steps) {
      text = step(std::move(text));
      check_growth(before, text.size(), where);
    }
    return text;
  };
}

}  // namespace

Regex make_pattern(const JsonField& field) {
  const JsonField pattern = field["pattern"];
  if (pattern["Regex"].exists()) return Regex(pattern["Regex"].text(), pattern.where());
  return Regex::literal(pattern["String"].text(), pattern.where());
}

void check_growth(std::size_t before, std::size_t now, const std::string& where) {
  if (now <= 16 * before + 65536) return;
  throw InputError(
      fmt::format("{}: makes {} bytes of {}; up to 16 times as many and 65536 more are "
                  "accepted",
                  where, now, before));
}

std::string replace_all(const std::string& text, const Regex& pattern, const std::string& by) {
  std::string result;
  std::size_t from = 0;
  for (const ByteRange& match : pattern.find_all(text)) {
    result.append(text, from, match.begin - from);
    result += by;
    from = match.end;
    check_growth(text.size(), result.size(), pattern.where());
  }
  return result.append(text, from);
}

Normalizer make_normalizer(const JsonField& field) {
  if (!field.exists()) return [](std::string text) { return text; };
  const std::string type = field.type();
  static const std::map<std::string, NormalForm> kForms = {{"NFC", NormalForm::kNfc},
                                                           {"NFD", NormalForm::kNfd},
                                                           {"NFKC", NormalForm::kNfkc},
                                                           {"NFKD", NormalForm::kNfkd}};
  if (const auto form = kForms.find(type); form != kForms.end()) {
    return [form = form->second](std::string text) { return normal_form(text, form); };
  }
  if (type == "Sequence") return make_sequence(field);
  if (type == "Lowercase") return [](std::string text) { return lower_case(text); };
  if (type == "Prepend") {
    const std::string prefix = field["prepend"].text();
    return [prefix](std::string text) { return text.empty() ? text : prefix + text; };
  }
  if (type == "Strip") {
    const bool left = field["strip_left"].flag(true);
    const bool right = field["strip_right"].flag(true);
    return [left, right](std::string text) { return stripped(text, left, right); };
  }
  if (type == "Replace") {
    const auto pattern = std::make_shared<const Regex>(make_pattern(field));
    const std::string by = field["content"].text();
    return [pattern, by](std::string text) { return replace_all(text, *pattern, by); };
  }
  field["type"].refuse(
      "normalizers NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Strip, Replace and Sequence are "
      "accepted");
}

}  // namespace lingua
