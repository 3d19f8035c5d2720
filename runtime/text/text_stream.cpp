#include "runtime/text/text_stream.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/text/clean_up.h"
#include "runtime/text/utf8.h"

namespace lingua {
namespace {

// How many bytes at the end of `text` may begin `stop`.
std::size_t beginning_of(const std::string& stop, const std::string& text) {
  for (std::size_t n = std::min(stop.size() - 1, text.size()); n > 0; --n) {
    if (text.compare(text.size() - n, n, stop, 0, n) == 0) return n;
  }
  return 0;
}

}  // namespace

TextStream::TextStream(const Tokenizer& tokenizer, std::vector<std::string> stop_strings)
    : tokenizer_(tokenizer), stop_strings_(std::move(stop_strings)) {
  for (const std::string& stop : stop_strings_) LINGUA_CHECK(!stop.empty());
}

std::string TextStream::push(TokenId token) {
  if (stopped_) return "";
  bytes_ += tokenizer_.token_bytes(token);
  std::string text;
  std::size_t at = 0;
  while (at < bytes_.size()) {
    const Utf8Piece piece = utf8_piece(bytes_, at);
    if (piece.kind == Utf8Piece::Kind::kUnfinished) break;
    if (piece.kind == Utf8Piece::Kind::kCharacter) {
      text.append(bytes_, at, piece.bytes);
    } else {
      text += kReplacementCharacter;
    }
    at += piece.bytes;
  }
  bytes_.erase(0, at);
  return accept(cleaned(text, false));
}

std::string TextStream::finish() {
  if (stopped_) return "";
  const std::string rest = bytes_.empty() ? "" : std::string(kReplacementCharacter);
  bytes_.clear();
  const std::string text = accept(cleaned(rest, true));
  return text + std::exchange(held_, "");
}

std::string TextStream::cleaned(const std::string& text, bool last) {
  if (!tokenizer_.cleans_up_spaces()) return text;
  spaces_ += text;
  const std::size_t settled = last ? spaces_.size() : settled_length(spaces_);
  const std::string certain = clean_up_spaces(spaces_.substr(0, settled));
  spaces_.erase(0, settled);
  return certain;
}

std::string TextStream::accept(const std::string& text) {
  held_ += text;
  std::size_t start = held_.size();
  std::size_t end = std::string::npos;
  for (const std::string& stop : stop_strings_) {
    const std::size_t found = held_.find(stop);
    if (found == std::string::npos || found + stop.size() > end) continue;
    if (found + stop.size() < end || found < start) start = found;
    end = found + stop.size();
  }
  stopped_ = end != std::string::npos;
  if (!stopped_) {
    for (const std::string& stop : stop_strings_) {
      start = std::min(start, held_.size() - beginning_of(stop, held_));
    }
  }
  std::string certain = held_.substr(0, start);
  held_.erase(0, stopped_ ? held_.size() : start);
  return certain;
}

}  // namespace lingua
