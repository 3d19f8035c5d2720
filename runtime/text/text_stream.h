#pragma once
// Text as its tokens are made: never half a character, never part of a stop string.
//
// The stream goes on from a prompt: a space that the first token begins with stays.
// Order: what push() and finish() return depends, put together, on the bytes of the tokens alone,
// not on how they are cut into tokens. Of two stop strings the one that ends first counts.

#include <string>
#include <vector>

#include "runtime/text/tokenizer.h"

namespace lingua {

class TextStream {
 public:
  // REQUIRES: the tokenizer outlives the stream; no stop string is empty.
  TextStream(const Tokenizer& tokenizer, std::vector<std::string> stop_strings);

  // The text that is certain after one more token: whole UTF-8 characters, without what may yet
  // turn out to be the beginning of a stop string. Bytes that can no longer become a character are
  // U+FFFD.
  std::string push(TokenId token);

  // What was held back. Nothing more comes after it.
  std::string finish();

  // A stop string has come: its text and what follows are left out.
  bool stopped() const { return stopped_; }

 private:
  std::string accept(const std::string& text);
  // The part of the text that is settled, spaces cleaned up where the tokenizer's files want it.
  std::string cleaned(const std::string& text, bool last);

  const Tokenizer& tokenizer_;
  std::vector<std::string> stop_strings_;
  std::string bytes_;   // of a character that is not complete
  std::string spaces_;  // text that what follows may yet clean up
  std::string held_;    // text that may begin a stop string
  bool stopped_ = false;
};

}  // namespace lingua
