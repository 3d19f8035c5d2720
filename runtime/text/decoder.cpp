#include "runtime/text/decoder.h"

#include <charconv>
#include <memory>

#include "runtime/text/text_steps.h"
#include "runtime/text/utf8.h"

namespace lingua {
namespace {

// "<0x0A>" is the byte 10.
void bytes_for_names(std::string& token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token.back() != '>') return;
  unsigned byte = 0;
  const char* const end = token.data() + 5;
  if (std::from_chars(token.data() + 3, end, byte, 16).ptr == end) {
    token.resize(1);
    token[0] = static_cast<char>(byte);
  }
}

void strip(std::string& token, const std::string& content, std::int64_t start, std::int64_t stop) {
  for (; start > 0 && token.starts_with(content); --start) token.erase(0, content.size());
  for (; stop > 0 && token.ends_with(content); --stop) token.resize(token.size() - content.size());
}

std::string without_marks(const std::string& token, const std::string& mark, const char* by) {
  std::string text;
  std::size_t from = 0;
  for (std::size_t at = 0; (at = token.find(mark, from)) != std::string::npos;) {
    text.append(token, from, at - from).append(by);
    from = at + mark.size();
  }
  return text.append(token, from);
}

}  // namespace

Decoder::Decoder(const JsonField& field)
    : where_(field.where()), separator_(field.exists() ? "" : " ") {
  if (field.exists()) add(field);
}

Decoder Decoder::byte_level() {
  Decoder decoder;
  decoder.steps_.push_back([](std::vector<std::string>& tokens, bool) {
    for (std::string& token : tokens) token = bytes_of_byte_level(token);
  });
  return decoder;
}

void Decoder::add(const JsonField& field) {
  const std::string type = field.type();
  if (type == "Sequence") {
    for (const JsonField& step : field["decoders"].items()) add(step);
  } else if (type == "ByteLevel") {
    steps_.push_back(byte_level().steps_.front());
  } else if (type == "ByteFallback") {
    steps_.push_back([](std::vector<std::string>& tokens, bool) {
      for (std::string& token : tokens) bytes_for_names(token);
    });
  } else if (type == "Fuse") {
    steps_.push_back([](std::vector<std::string>& tokens, bool) {
      std::string all;
      for (const std::string& token : tokens) all += token;
      tokens = {std::move(all)};
    });
  } else if (type == "Replace") {
    const auto pattern = std::make_shared<const Regex>(make_pattern(field));
    const std::string by = field["content"].text();
    steps_.push_back([pattern, by](std::vector<std::string>& tokens, bool) {
      for (std::string& token : tokens) token = replace_all(token, *pattern, by);
    });
  } else if (type == "Strip") {
    const std::string content = field["content"].text();
    if (content.empty()) field["content"].refuse("one character is accepted");
    const std::int64_t start = field["start"].whole();
    const std::int64_t stop = field["stop"].whole();
    steps_.push_back([=](std::vector<std::string>& tokens, bool goes_on) {
      if (goes_on) return;
      for (std::string& token : tokens) strip(token, content, start, stop);
    });
  } else if (type == "Metaspace") {
    const std::string mark = field["replacement"].text();
    if (mark.empty()) field["replacement"].refuse("one character is accepted");
    const bool prefixed = field["prepend_scheme"].text(
                              field["add_prefix_space"].flag(true) ? "always" : "never") != "never";
    steps_.push_back([=](std::vector<std::string>& tokens, bool goes_on) {
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        tokens[i] = without_marks(tokens[i], mark, i == 0 && prefixed && !goes_on ? "" : " ");
      }
    });
  } else {
    field["type"].refuse(
        "decoders ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace and Sequence are "
        "accepted");
  }
}

void Decoder::run(std::vector<std::string>& tokens, bool goes_on) const {
  const auto bytes = [&] {
    std::size_t sum = 0;
    for (const std::string& token : tokens) sum += token.size();
    return sum;
  };
  const std::size_t before = bytes();
  for (const Step& step : steps_) {
    step(tokens, goes_on);
    check_growth(before, bytes(), where_);
  }
}

std::string Decoder::text_of(std::vector<std::string> tokens) const {
  run(tokens, false);
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) text += separator_;
    text += tokens[i];
  }
  return text;
}

std::string Decoder::bytes_of(const std::string& token) const {
  std::vector<std::string> tokens = {token};
  run(tokens, true);
  return separator_ + tokens.front();
}

}  // namespace lingua
