#include "runtime/text/bpe.h"

#include <fmt/format.h>

#include <queue>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"
#include "runtime/text/utf8.h"

namespace lingua {

void Vocabulary::add(const std::string& token, std::int64_t id) {
  const auto limit = static_cast<std::int64_t>(2 * expected_ + 65536);
  if (id < 0 || id >= limit) {
    throw InputError(
        fmt::format("{}: the token {} has id {}; with {} tokens, ids from 0 to {} are "
                    "accepted",
                    where_, lingua::quoted(token), id, expected_, limit - 1));
  }
  const auto [known, is_new] = ids_.try_emplace(token, static_cast<std::int32_t>(id));
  if (!is_new) {
    if (known->second == id) return;
    throw InputError(fmt::format("{}: the token {} has two ids, {} and {}", where_,
                                 lingua::quoted(token), known->second, id));
  }
  if (id >= size()) tokens_.resize(static_cast<std::size_t>(id) + 1);
  std::optional<std::string>& slot = tokens_[static_cast<std::size_t>(id)];
  if (slot) {
    throw InputError(fmt::format("{}: the id {} belongs to two tokens, {} and {}", where_, id,
                                 lingua::quoted(*slot), lingua::quoted(token)));
  }
  slot = token;
}

std::optional<TokenId> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

const std::string* Vocabulary::token(TokenId id) const {
  if (id < 0 || id >= size() || !tokens_[static_cast<std::size_t>(id)]) return nullptr;
  return &*tokens_[static_cast<std::size_t>(id)];
}

Bpe::Bpe(const Vocabulary& vocabulary, Options options, const std::string& where)
    : vocabulary_(vocabulary), options_(std::move(options)), where_(where), byte_ids_(256, -1) {
  if (options_.unknown) {
    const auto id = vocabulary_.find(*options_.unknown);
    if (!id) {
      throw InputError(
          fmt::format("{}: the token for unknown characters, {}, is not in the "
                      "vocabulary",
                      where_, lingua::quoted(*options_.unknown)));
    }
    unknown_ = static_cast<std::int32_t>(*id);
  }
  if (options_.byte_fallback) {
    for (std::size_t byte = 0; byte < byte_ids_.size(); ++byte) {
      const auto id = vocabulary_.find(fmt::format("<0x{:02X}>", byte));
      if (id) byte_ids_[byte] = static_cast<std::int32_t>(*id);
    }
  }
}

void Bpe::add_merge(std::string_view left, std::string_view right) {
  const std::int32_t rank = merges_added_++;
  const auto id_of = [&](const std::string& token) {
    const auto id = vocabulary_.find(token);
    if (!id) {
      throw InputError(
          fmt::format("{}[{}]: {} is not in the vocabulary", where_, rank, lingua::quoted(token)));
    }
    return static_cast<std::uint64_t>(*id);
  };
  const std::string& prefix = options_.continuing_prefix;
  if (!prefix.empty() && !right.starts_with(prefix)) {
    throw InputError(fmt::format("{}[{}]: {} lacks the prefix {} of what continues a word", where_,
                                 rank, lingua::quoted(std::string(right)), lingua::quoted(prefix)));
  }
  const std::uint64_t pair = id_of(std::string(left)) << 32 | id_of(std::string(right));
  const std::uint64_t result = id_of(std::string(left) + std::string(right.substr(prefix.size())));
  merges_[pair] = {rank, static_cast<std::int32_t>(result)};
}

const Bpe::Merge* Bpe::find_merge(std::int32_t left, std::int32_t right) const {
  const auto found =
      merges_.find(static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right));
  return found == merges_.end() ? nullptr : &found->second;
}

bool Bpe::add_bytes(std::string_view character, std::vector<Symbol>& symbols) const {
  for (const char c : character) {
    if (byte_ids_[static_cast<unsigned char>(c)] < 0) return false;
  }
  for (const char c : character) symbols.push_back({byte_ids_[static_cast<unsigned char>(c)]});
  return true;
}

std::vector<Bpe::Symbol> Bpe::symbols_of(std::string_view word) const {
  std::vector<Symbol> symbols;
  symbols.reserve(word.size());
  const bool plain = options_.continuing_prefix.empty() && options_.end_suffix.empty();
  bool after_unknown = false;
  for (std::size_t at = 0; at < word.size();) {
    std::string_view character = word.substr(at, utf8_piece(word, at).bytes);
    std::string affixed;
    if (!plain) {
      affixed = at > 0 ? options_.continuing_prefix : "";
      affixed += character;
      if (at + character.size() == word.size()) affixed += options_.end_suffix;
    }
    at += character.size();
    if (!plain) character = affixed;
    if (const auto id = vocabulary_.find(character)) {
      symbols.push_back({static_cast<std::int32_t>(*id)});
      after_unknown = false;
    } else if (options_.byte_fallback && add_bytes(character, symbols)) {
      after_unknown = false;
    } else if (unknown_ >= 0) {
      if (!(options_.fuse_unknown && after_unknown)) symbols.push_back({unknown_});
      after_unknown = true;
    }
  }
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    symbols[i].previous = static_cast<std::int32_t>(i) - 1;
    symbols[i].next = i + 1 < symbols.size() ? static_cast<std::int32_t>(i) + 1 : -1;
  }
  return symbols;
}

void Bpe::merge_all(std::vector<Symbol>& symbols) const {
  struct Candidate {
    std::int32_t rank;
    std::int32_t left;
    std::int32_t result;
    bool operator<(const Candidate& other) const {
      return rank > other.rank || (rank == other.rank && left > other.left);
    }
  };
  const auto symbol = [&](std::int32_t at) -> Symbol& {
    return symbols[static_cast<std::size_t>(at)];
  };
  std::vector<Candidate> storage;
  storage.reserve(symbols.size());
  std::priority_queue<Candidate> candidates(std::less<Candidate>(), std::move(storage));
  const auto consider = [&](std::int32_t left) {
    if (left < 0 || symbol(left).next < 0) return;
    const Merge* merge = find_merge(symbol(left).id, symbol(symbol(left).next).id);
    if (merge != nullptr) candidates.push({merge->rank, left, merge->result});
  };
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) consider(static_cast<std::int32_t>(i));
  while (!candidates.empty()) {
    const Candidate best = candidates.top();
    candidates.pop();
    Symbol& left = symbol(best.left);
    if (left.id < 0 || left.next < 0) continue;
    Symbol& right = symbol(left.next);
    // The pair may have changed since it was considered.
    const Merge* merge = find_merge(left.id, right.id);
    if (merge == nullptr || merge->result != best.result) continue;
    left.id = best.result;
    right.id = -1;
    left.next = right.next;
    if (left.next >= 0) symbol(left.next).previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
}

void Bpe::encode(std::string_view word, std::vector<TokenId>& ids) const {
  if (options_.ignore_merges) {
    if (const auto id = vocabulary_.find(word)) {
      ids.push_back(*id);
      return;
    }
  }
  std::vector<Symbol> symbols = symbols_of(word);
  merge_all(symbols);
  for (const Symbol& symbol : symbols) {
    if (symbol.id >= 0) ids.push_back(symbol.id);
  }
}

}  // namespace lingua
