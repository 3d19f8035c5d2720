#include "runtime/journal/records.h"

#include <algorithm>
#include <bit>

#include "runtime/base/files.h"

namespace lingua {
namespace {

constexpr std::size_t kHead = 12;
constexpr std::uint64_t kLongest = 64 << 20;  // contents

enum Tag : char { kFacts = 1, kBegun = 2, kToken = 3, kCancelled = 4 };

// ---- writing ----

class Writer {
 public:
  explicit Writer(Tag tag) { bytes_ += tag; }

  void number(std::uint64_t value, int width = 8) {
    for (int i = 0; i < width; ++i) bytes_ += static_cast<char>(value >> (8 * i) & 0xff);
  }
  void real(double value) { number(std::bit_cast<std::uint64_t>(value)); }
  void length(std::size_t value) { number(value, 4); }
  void text(std::string_view value) {
    length(value.size());
    bytes_ += value;
  }
  void name(const RequestName& name) {
    text(name.first);
    number(static_cast<std::uint64_t>(name.second));
  }
  std::string bytes() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

std::string contents_of(const JournalFacts& facts) {
  Writer out(kFacts);
  out.length(facts.size());
  for (const auto& [name, value] : facts) {
    out.text(name);
    out.text(value);
  }
  return std::move(out).bytes();
}

std::string contents_of(const RequestBegun& begun) {
  Writer out(kBegun);
  out.name(begun.name);
  const RequestContent& content = begun.content;
  for (const std::uint8_t byte : content.inputs.bytes) out.number(byte, 1);
  out.number(static_cast<std::uint64_t>(content.max_tokens));
  out.length(content.stop_tokens.size());
  for (const TokenId token : content.stop_tokens) out.number(static_cast<std::uint64_t>(token));
  const Sampling& sampling = content.sampling;
  out.real(sampling.temperature);
  out.number(static_cast<std::uint64_t>(sampling.top_k));
  out.real(sampling.top_p);
  out.real(sampling.repetition_penalty);
  out.number(static_cast<std::uint64_t>(sampling.repetition_window));
  out.number(sampling.seed);
  return std::move(out).bytes();
}

std::string contents_of(const TokenNoted& token) {
  Writer out(kToken);
  out.name(token.name);
  out.number(static_cast<std::uint64_t>(token.index));
  out.number(static_cast<std::uint64_t>(token.token));
  return std::move(out).bytes();
}

std::string contents_of(const RequestCancelled& cancelled) {
  Writer out(kCancelled);
  out.name(cancelled.name);
  return std::move(out).bytes();
}

std::string contents_of(const JournalEntry& entry) {
  return std::visit([](const auto& one) { return contents_of(one); }, entry);
}

// ---- reading ----

// Gives zeros once there is less than it is asked for.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  bool is_at_end() const { return !failed_ && bytes_.empty(); }
  std::string_view take(std::size_t count) {
    failed_ = failed_ || count > bytes_.size();
    if (failed_) return {};
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::uint64_t number(std::size_t width = 8) {
    std::uint64_t value = 0;
    const std::string_view taken = take(width);
    for (std::size_t i = 0; i < taken.size(); ++i)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
    return value;
  }
  std::int64_t integer() { return static_cast<std::int64_t>(number()); }
  double real() { return std::bit_cast<double>(number()); }
  std::string text() { return std::string(take(number(4))); }
  // Of a list whose items take so many bytes at least.
  std::size_t count(std::size_t item) {
    const std::size_t value = number(4);
    failed_ = failed_ || value > bytes_.size() / item;
    return failed_ ? 0 : value;
  }
  RequestName name() {
    std::string client = text();
    return {std::move(client), integer()};
  }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

JournalFacts read_facts(Reader& in) {
  JournalFacts facts(in.count(8));
  for (auto& [name, value] : facts) {
    name = in.text();
    value = in.text();
  }
  return facts;
}

RequestBegun read_begun(Reader& in) {
  RequestBegun begun;
  begun.name = in.name();
  RequestContent& content = begun.content;
  for (std::uint8_t& byte : content.inputs.bytes) byte = static_cast<std::uint8_t>(in.number(1));
  content.max_tokens = in.integer();
  content.stop_tokens.resize(in.count(8));
  for (TokenId& token : content.stop_tokens) token = in.integer();
  Sampling& sampling = content.sampling;
  sampling.temperature = in.real();
  sampling.top_k = in.integer();
  sampling.top_p = in.real();
  sampling.repetition_penalty = in.real();
  sampling.repetition_window = in.integer();
  sampling.seed = in.number();
  return begun;
}

TokenNoted read_token(Reader& in) {
  TokenNoted token;
  token.name = in.name();
  token.index = in.integer();
  token.token = in.integer();
  return token;
}

// Nothing for contents that are none of encode()'s.
std::optional<JournalRecord> read_contents(std::string_view bytes) {
  Reader in(bytes);
  JournalRecord record;
  switch (in.number(1)) {
    case kFacts: record = read_facts(in); break;
    case kBegun: record = JournalEntry(read_begun(in)); break;
    case kToken: record = JournalEntry(read_token(in)); break;
    case kCancelled: record = JournalEntry(RequestCancelled{in.name()}); break;
    default: return std::nullopt;
  }
  if (!in.is_at_end()) return std::nullopt;
  return record;
}

}  // namespace

std::string encode(const JournalRecord& record) {
  const std::string contents = std::visit([](const auto& one) { return contents_of(one); }, record);
  std::string bytes;
  const auto add = [&](std::uint64_t value, int width) {
    for (int i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  };
  add(contents.size(), 4);
  add(checksum(contents), 8);
  return bytes + contents;
}

DecodedRecord decode_record(std::string_view bytes) {
  DecodedRecord decoded;
  Reader head(bytes);
  const std::uint64_t length = head.number(4);
  const std::uint64_t sum = head.number(8);
  const bool is_all_there = bytes.size() >= kHead && bytes.size() - kHead >= length;
  if (!is_all_there) {
    decoded.kind =
        length > kLongest ? DecodedRecord::Kind::kDamaged : DecodedRecord::Kind::kCutShort;
    return decoded;
  }
  const std::string_view contents = bytes.substr(kHead, length);
  if (length > kLongest || checksum(contents) != sum) return decoded;
  if (auto record = read_contents(contents)) {
    decoded.kind = DecodedRecord::Kind::kWhole;
    decoded.record = std::move(*record);
    decoded.bytes = kHead + length;
  }
  return decoded;
}

}  // namespace lingua
