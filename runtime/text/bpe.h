#pragma once
// Byte-pair encoding: a word's characters, merged pair by pair, the best rank first.
//
// Order: of two pairs of one rank the left one is merged first.
// Speed: n log n in the length of a word.
// Threads: const functions may be called from several threads.
// Source: Sennrich, Haddow, Birch, arXiv 1508.07909; options as in the model "BPE" of tokenizer.json.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

// Tokens and their ids. Errors: InputError "WHERE: ..." for what contradicts itself.
class Vocabulary {
 public:
  explicit Vocabulary(std::string where) : where_(std::move(where)) {}

  // REQUIRES: all are added before anything is asked. Errors: an id that is taken by another token,
  // a token that has another id, an id far beyond the number of tokens.
  void add(const std::string& token, std::int64_t id);
  // How many will be added at most: what ids are measured by.
  void expect(std::size_t tokens) { expected_ += tokens; }

  std::optional<TokenId> find(std::string_view token) const;
  const std::string* token(TokenId id) const;  // null for an id that is none
  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }  // largest id + 1
  std::int64_t entries() const { return static_cast<std::int64_t>(ids_.size()); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };
  std::string where_;
  std::size_t expected_ = 0;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  std::vector<std::optional<std::string>> tokens_;
};

class Bpe {
 public:
  struct Options {
    std::optional<std::string> unknown;  // token for characters that are none
    bool fuse_unknown = false;           // one for several such characters in a row
    bool byte_fallback = false;          // "<0x0A>" for their bytes where the vocabulary has them
    bool ignore_merges = false;          // a word that is a token is that token
    std::string continuing_prefix;       // of characters that do not begin a word
    std::string end_suffix;              // of characters that end a word
  };

  // The vocabulary must outlive it. Errors: InputError "WHERE ..." for an unknown token.
  Bpe(const Vocabulary& vocabulary, Options options, const std::string& where);

  // Merges, best first; one that stands twice has the later rank. Errors: InputError
  // "WHERE[RANK]: ..." when a part or the result is no token.
  void add_merge(std::string_view left, std::string_view right);

  // Appends the ids of a word.
  void encode(std::string_view word, std::vector<TokenId>& ids) const;

 private:
  struct Merge {
    std::int32_t rank = 0;
    std::int32_t result = 0;
  };
  struct PairHash {
    std::size_t operator()(std::uint64_t pair) const {
      pair *= 0x9e3779b97f4a7c15ULL;
      return static_cast<std::size_t>(pair ^ (pair >> 32));
    }
  };
  struct Symbol {
    std::int32_t id = -1;  // -1: merged into the one before
    std::int32_t previous = -1;
    std::int32_t next = -1;
  };

  const Merge* find_merge(std::int32_t left, std::int32_t right) const;
  std::vector<Symbol> symbols_of(std::string_view word) const;
  bool add_bytes(std::string_view character, std::vector<Symbol>& symbols) const;
  void merge_all(std::vector<Symbol>& symbols) const;

  const Vocabulary& vocabulary_;
  Options options_;
  std::string where_;
  std::int32_t unknown_ = -1;
  std::int32_t merges_added_ = 0;
  std::vector<std::int32_t> byte_ids_;  // of "<0x00>" ...; -1 where there is none
  std::unordered_map<std::uint64_t, Merge, PairHash> merges_;
};

}  // namespace lingua
