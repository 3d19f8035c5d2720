#pragma once
// The records of a journal's file, as bytes.
//
// Numbers are little-endian. A record is its length (4 bytes), the checksum of what follows (8) and the
// contents: a byte that says what it is, then its fields; texts and lists with their lengths (4) first.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/engine/journal.h"

namespace lingua {

// What tokens can be compared under, by name: the model, what its weights are, how its text is cut.
using JournalFacts = std::vector<std::pair<std::string, std::string>>;

// The first record is of facts, all others of entries.
using JournalRecord = std::variant<JournalFacts, JournalEntry>;

std::string encode(const JournalRecord& record);

// What stands at the beginning of bytes from outside.
struct DecodedRecord {
  enum class Kind { kWhole, kCutShort, kDamaged };
  Kind kind = Kind::kDamaged;
  JournalRecord record;   // of a whole one
  std::size_t bytes = 0;  // that it takes
};
// REQUIRES: bytes is not empty.
DecodedRecord decode_record(std::string_view bytes);

}  // namespace lingua
