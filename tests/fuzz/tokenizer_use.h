#pragma once
// What every fuzzed tokenizer has to do: encode, decode, say what it is.

#include <filesystem>
#include <string>

#include "runtime/base/files.h"
#include "runtime/text/tokenizer.h"
#include "tests/support/memory_file.h"

namespace lingua::testing {

inline void use(const Tokenizer& tokenizer) {
  for (const char* text :
       {"", " Hello,  w\u00f6rld 1234!\n\t", "\u65e5\u672c \U0001f600 a\u0301 ~"}) {
    for (const bool special : {false, true}) {
      tokenizer.decode(tokenizer.encode(text, special, special), special);
    }
  }
  for (TokenId id = 0; id < std::min<std::int64_t>(tokenizer.size(), 300); ++id) {
    tokenizer.token_bytes(id);
  }
  tokenizer.bos();
  tokenizer.stop_tokens();
  tokenizer.special("</s>");
}

// A model folder whose one file is in memory.
class OneFileFolder {
 public:
  explicit OneFileFolder(const std::string& name) {
    std::filesystem::create_symlink(content_.path(), folder_.path() / name);
  }
  std::string with(const std::string& bytes) const {
    content_.write(bytes);
    return folder_.path().string();
  }

 private:
  MemoryFile content_;
  TemporaryFolder folder_;
};

}  // namespace lingua::testing
