#pragma once
// What tokenizers need of Unicode and regular expressions, on UTF-8: the only file that knows ICU.
//
// REQUIRES: texts are UTF-8 (check_utf8).
// Threads: const functions may be called from several threads.
// Source: tokenizer files are written for the engine Oniguruma; for the expressions of published
// tokenizers ICU matches the same text, which tests/text compares.

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lingua {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };

std::string normal_form(std::string_view text, NormalForm form);
// Character by character, without rules for the end of a word.
std::string lower_case(std::string_view text);
// With the rules for whole texts and for characters that become several, as Python's str has them.
std::string full_lower_case(std::string_view text);
std::string full_upper_case(std::string_view text);
std::string folded_case(std::string_view text);
// One character as a title begins with it: not always its upper case.
std::string title_character(std::string_view character);

bool is_white_space(char32_t c);
bool is_numeric(char32_t c);  // any kind of number: digits, Roman numerals, fractions
bool is_letter(char32_t c);
// Unicode's Numeric_Type: "7" is decimal, a superscript a digit, a fraction or a Han numeral numeric.
enum class NumericType { kNone, kNumeric, kDigit, kDecimal };
NumericType numeric_type(char32_t c);
bool is_punctuation(char32_t c);  // Unicode's, and ASCII's symbols
bool is_word(char32_t c);         // \w: letters, marks, digits, connectors, joiners

// Bytes [begin, end) of a text.
struct ByteRange {
  std::size_t begin = 0;
  std::size_t end = 0;
};

class Regex {
 public:
  // Errors: InputError "WHERE: ..." for a pattern that is not valid or longer than 10,000 bytes.
  Regex(const std::string& pattern, const std::string& where);
  // Matches exactly `text`.
  static Regex literal(const std::string& text, const std::string& where);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // What matches, from the left, without overlap; a match may be empty. Errors: InputError when the
  // expression takes more steps or memory than any published one does on a text of this length.
  std::vector<ByteRange> find_all(std::string_view text) const;
  const std::string& where() const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lingua
