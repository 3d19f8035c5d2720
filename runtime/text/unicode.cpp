#include "runtime/text/unicode.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/regex.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <cstdint>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/utf8.h"

namespace lingua {
namespace {

// ICU calls back after each 10,000 steps of its engine, which take about a tenth of a millisecond.
constexpr std::int64_t kFreeCallbacks = 5000;
constexpr std::size_t kBytesPerCallback = 200;
constexpr std::int32_t kStackBytes = 32 << 20;

icu::UnicodeString utf16(std::string_view text) {
  LINGUA_CHECK(text.size() < (1U << 30), "a text of {} bytes", text.size());
  return icu::UnicodeString::fromUTF8(
      icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
}

std::string utf8(const icu::UnicodeString& text) {
  std::string bytes;
  return text.toUTF8String(bytes);
}

// Counts down for one text; false stops the engine.
UBool U_CALLCONV count_steps(const void* left, std::int32_t) {
  return --*static_cast<std::int64_t*>(const_cast<void*>(left)) > 0;
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

// Byte offsets of ascending UTF-16 offsets.
class Offsets {
 public:
  Offsets(std::string_view text, bool ascii) : text_(text), ascii_(ascii) {}
  std::size_t at(std::int32_t units) {
    if (ascii_) return static_cast<std::size_t>(units);
    while (units_ < units) {
      const std::size_t bytes = utf8_piece(text_, byte_).bytes;
      units_ += bytes == 4 ? 2 : 1;
      byte_ += bytes;
    }
    return byte_;
  }

 private:
  std::string_view text_;
  bool ascii_;
  std::int32_t units_ = 0;
  std::size_t byte_ = 0;
};

}  // namespace

std::string normal_form(std::string_view text, NormalForm form) {
  if (is_ascii(text)) return std::string(text);
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* normalizer = nullptr;
  switch (form) {
    case NormalForm::kNfc: normalizer = icu::Normalizer2::getNFCInstance(status); break;
    case NormalForm::kNfd: normalizer = icu::Normalizer2::getNFDInstance(status); break;
    case NormalForm::kNfkc: normalizer = icu::Normalizer2::getNFKCInstance(status); break;
    case NormalForm::kNfkd: normalizer = icu::Normalizer2::getNFKDInstance(status); break;
  }
  if (U_FAILURE(status)) {
    throw WorldError(fmt::format("ICU's data for normal forms: {}", u_errorName(status)));
  }
  const icu::UnicodeString result = normalizer->normalize(utf16(text), status);
  LINGUA_CHECK(U_SUCCESS(status), "{}", u_errorName(status));
  return utf8(result);
}

std::string lower_case(std::string_view text) {
  icu::UnicodeString lowered;
  const icu::UnicodeString units = utf16(text);
  for (std::int32_t i = 0; i < units.length(); i = units.moveIndex32(i, 1)) {
    const UChar32 c = units.char32At(i);
    lowered.append(static_cast<UChar32>(c == 0x130 ? 'i' : u_tolower(c)));
    if (c == 0x130) lowered.append(static_cast<UChar32>(0x307));  // the one that becomes two
  }
  return utf8(lowered);
}

std::string full_lower_case(std::string_view text) {
  return utf8(utf16(text).toLower(icu::Locale::getRoot()));
}

std::string folded_case(std::string_view text) { return utf8(utf16(text).foldCase()); }

std::string full_upper_case(std::string_view text) {
  return utf8(utf16(text).toUpper(icu::Locale::getRoot()));
}

std::string title_character(std::string_view character) {
  return utf8(utf16(character).toTitle(nullptr, icu::Locale::getRoot()));
}

bool is_white_space(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)) != 0; }

bool is_numeric(char32_t c) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_N_MASK) != 0; }

bool is_letter(char32_t c) { return (U_GET_GC_MASK(static_cast<UChar32>(c)) & U_GC_L_MASK) != 0; }

NumericType numeric_type(char32_t c) {
  switch (u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE)) {
    case U_NT_DECIMAL: return NumericType::kDecimal;
    case U_NT_DIGIT: return NumericType::kDigit;
    case U_NT_NUMERIC: return NumericType::kNumeric;
    default: return NumericType::kNone;
  }
}

bool is_punctuation(char32_t c) {
  if (c < 0x80) return c > 0x20 && c != 0x7F && u_isalnum(static_cast<UChar32>(c)) == 0;
  return u_ispunct(static_cast<UChar32>(c)) != 0;
}

bool is_word(char32_t c) {
  const auto point = static_cast<UChar32>(c);
  return u_hasBinaryProperty(point, UCHAR_ALPHABETIC) != 0 ||
         (U_GET_GC_MASK(point) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0 ||
         u_hasBinaryProperty(point, UCHAR_JOIN_CONTROL) != 0;
}

struct Regex::Impl {
  std::unique_ptr<icu::RegexPattern> pattern;
  std::string where;
  std::string source;
};

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

Regex::Regex(const std::string& pattern, const std::string& where)
    : impl_(std::make_unique<Impl>()) {
  if (pattern.size() > 10000) {
    throw InputError(fmt::format("{}: a regular expression of {} bytes; 10000 are accepted", where,
                                 pattern.size()));
  }
  UErrorCode status = U_ZERO_ERROR;
  UParseError at{};
  impl_->pattern.reset(icu::RegexPattern::compile(utf16(pattern), 0, at, status));
  if (U_FAILURE(status)) {
    throw InputError(fmt::format("{}: {} is not a valid regular expression ({} at character {})",
                                 where, lingua::quoted(pattern), u_errorName(status), at.offset));
  }
  impl_->where = where;
  impl_->source = pattern;
}

Regex Regex::literal(const std::string& text, const std::string& where) {
  auto impl = std::make_unique<Impl>();
  UErrorCode status = U_ZERO_ERROR;
  UParseError at{};
  impl->pattern.reset(icu::RegexPattern::compile(utf16(text), UREGEX_LITERAL, at, status));
  if (U_FAILURE(status)) {
    throw InputError(fmt::format("{}: {}: {}", where, lingua::quoted(text), u_errorName(status)));
  }
  impl->where = where;
  impl->source = text;
  return Regex(std::move(impl));
}

const std::string& Regex::where() const { return impl_->where; }

std::vector<ByteRange> Regex::find_all(std::string_view text) const {
  std::vector<ByteRange> found;
  const icu::UnicodeString units = utf16(text);
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::RegexMatcher> matcher(impl_->pattern->matcher(units, status));
  std::int64_t left = kFreeCallbacks + static_cast<std::int64_t>(text.size() / kBytesPerCallback);
  if (U_SUCCESS(status)) {
    matcher->setStackLimit(kStackBytes, status);
    matcher->setMatchCallback(count_steps, &left, status);
  }
  Offsets offsets(text, is_ascii(text));
  while (U_SUCCESS(status) && matcher->find(status) && U_SUCCESS(status)) {
    const std::size_t begin = offsets.at(matcher->start(status));
    found.push_back({begin, offsets.at(matcher->end(status))});
  }
  if (U_FAILURE(status)) {
    throw InputError(
        fmt::format("{}: the regular expression {} does not come to an end on a text "
                    "of {} bytes ({})",
                    impl_->where, lingua::quoted(impl_->source), text.size(), u_errorName(status)));
  }
  return found;
}

}  // namespace lingua
