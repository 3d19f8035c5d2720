#pragma once
// From tokens, as tokenizer.json writes them, to the text that they stand for.
//
// Bytes: where the library `tokenizers` puts U+FFFD for bytes that are no UTF-8, the bytes stand.
// Source: github.com/huggingface/tokenizers (what each decoder does).

#include <functional>
#include <string>
#include <vector>

#include "runtime/text/json_field.h"

namespace lingua {

class Decoder {
 public:
  // Tokens with spaces between them for a field that does not exist. Errors: InputError for an
  // unknown decoder, by name, with the names of those there are.
  explicit Decoder(const JsonField& field);
  static Decoder byte_level();

  // Errors: InputError when steps blow a text up.
  std::string text_of(std::vector<std::string> tokens) const;
  // What a token adds to a text that goes on: nothing is stripped from its beginning.
  std::string bytes_of(const std::string& token) const;

 private:
  // Changes tokens in place; `goes_on` when the first is not the beginning of a text.
  using Step = std::function<void(std::vector<std::string>& tokens, bool goes_on)>;

  Decoder() = default;
  void add(const JsonField& field);

  void run(std::vector<std::string>& tokens, bool goes_on) const;

  std::vector<Step> steps_;
  std::string where_;
  std::string separator_;
};

}  // namespace lingua
