#include "runtime/text/sentencepiece_model.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <unordered_set>

#include "runtime/base/errors.h"
#include "runtime/checkpoint/json.h"

namespace lingua {
namespace {

// Fields of Protobuf's wire format, one after another.
class Fields {
 public:
  Fields(std::string_view bytes, const std::string& where) : left_(bytes), where_(where) {}

  // False at the end. Afterwards number() and one of the values are those of the field.
  bool next() {
    if (left_.empty()) return false;
    const std::uint64_t tag = varint();
    number_ = tag >> 3;
    switch (tag & 7) {
      case 0: value_ = varint(); break;
      case 1: bytes_ = take(8); break;
      case 2: bytes_ = take(varint()); break;
      case 5: bytes_ = take(4); break;
      default: refuse();
    }
    type_ = tag & 7;
    return true;
  }
  std::uint64_t number() const { return number_; }

  std::string_view bytes() const { return type_ == 2 ? bytes_ : refuse(); }
  std::uint64_t value() const { return type_ == 0 ? value_ : (refuse(), 0); }
  float number32() const {
    if (type_ != 5) refuse();
    std::uint32_t bits = 0;
    for (std::size_t i = 4; i-- > 0;) bits = bits << 8 | static_cast<unsigned char>(bytes_[i]);
    return std::bit_cast<float>(bits);
  }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    refuse();
  }
  std::string_view take(std::uint64_t count) {
    if (count > left_.size()) refuse();
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  [[noreturn]] std::string_view refuse() const {
    throw InputError(
        fmt::format("{}: is not a SentencePiece model, or a damaged one ({} bytes "
                    "before its end)",
                    where_, left_.size()));
  }

  std::string_view left_;
  const std::string& where_;
  std::uint64_t number_ = 0;
  std::uint64_t type_ = 0;
  std::uint64_t value_ = 0;
  std::string_view bytes_;
};

SentencePieceModel::Piece parse_piece(std::string_view bytes, std::size_t index,
                                      const std::string& where) {
  SentencePieceModel::Piece piece;
  for (Fields field(bytes, where); field.next();) {
    if (field.number() == 1) piece.text = field.bytes();
    if (field.number() == 2) piece.score = field.number32();
    if (field.number() != 3) continue;
    if (field.value() < 1 || field.value() > 6) {
      throw InputError(fmt::format("{}: piece {} is of type {}; 1 to 6 are accepted", where, index,
                                   field.value()));
    }
    piece.kind = static_cast<SentencePieceModel::PieceKind>(field.value());
  }
  return piece;
}

void parse_trainer(std::string_view bytes, const std::string& where, SentencePieceModel& model) {
  for (Fields field(bytes, where); field.next();) {
    switch (field.number()) {
      case 3:
        if (field.value() < 1 || field.value() > 4) {
          throw InputError(
              fmt::format("{}: model_type is {}; 1 (unigram) to 4 (characters) are "
                          "accepted",
                          where, field.value()));
        }
        model.kind = static_cast<SentencePieceModel::Kind>(field.value());
        break;
      case 24: model.space_is_suffix = field.value() != 0; break;
      case 35: model.byte_fallback = field.value() != 0; break;
      case 44: model.unknown_surface = field.bytes(); break;
      case 46: model.bos = field.bytes(); break;
      case 47: model.eos = field.bytes(); break;
      default: break;
    }
  }
}

void parse_normalizer(std::string_view bytes, const std::string& where, SentencePieceModel& model) {
  for (Fields field(bytes, where); field.next();) {
    switch (field.number()) {
      case 2: model.normalisation_table = field.bytes(); break;
      case 3: model.add_dummy_prefix = field.value() != 0; break;
      case 4: model.remove_extra_whitespaces = field.value() != 0; break;
      case 5: model.escape_whitespaces = field.value() != 0; break;
      default: break;
    }
  }
}

std::uint32_t unit_at(const std::string& table, std::size_t index) {
  std::uint32_t unit = 0;
  std::memcpy(&unit, table.data() + 4 + 4 * index, 4);
  return unit;
}

// The table: the trie's size in bytes, its units, then the texts, each ended by a zero. A lookup
// goes from unit p to (p ^ offset) ^ byte, or to its value at p ^ offset when it has one.
bool table_is_sound(const std::string& table) {
  if (table.empty()) return true;
  if (table.size() < 8) return false;
  std::uint32_t trie_bytes = 0;
  std::memcpy(&trie_bytes, table.data(), 4);
  if (trie_bytes % 4 != 0 || trie_bytes < 4 || trie_bytes >= table.size() - 4) return false;
  if (table.back() != '\0') return false;
  const std::size_t units = trie_bytes / 4;
  const std::size_t texts = table.size() - 4 - trie_bytes;
  for (std::size_t p = 0; p < units; ++p) {
    const std::uint32_t unit = unit_at(table, p);
    if ((unit & 0x80000000U) != 0) continue;  // a value
    const std::size_t base = p ^ ((unit >> 10) << ((unit & 0x200U) >> 6));
    if ((base | 0xFF) >= units) return false;
    if ((unit & 0x100U) == 0) continue;
    if ((unit_at(table, base) & 0x7FFFFFFFU) >= texts) return false;
  }
  return true;
}

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(0x80 | (value & 0x7F));
  out += static_cast<char>(value);
}
void put(std::string& out, unsigned field, std::string_view bytes) {
  put_varint(out, field << 3 | 2);
  put_varint(out, bytes.size());
  out += bytes;
}
void put(std::string& out, unsigned field, std::uint64_t value) {
  put_varint(out, field << 3);
  put_varint(out, value);
}

}  // namespace

SentencePieceModel parse_sentencepiece(std::string_view bytes, const std::string& where) {
  SentencePieceModel model;
  for (Fields field(bytes, where); field.next();) {
    switch (field.number()) {
      case 1: model.pieces.push_back(parse_piece(field.bytes(), model.pieces.size(), where)); break;
      case 2: parse_trainer(field.bytes(), where, model); break;
      case 3: parse_normalizer(field.bytes(), where, model); break;
      default: break;
    }
  }
  check_sentencepiece(model, where);
  return model;
}

void check_sentencepiece(const SentencePieceModel& model, const std::string& where) {
  using PieceKind = SentencePieceModel::PieceKind;
  std::unordered_set<std::string_view> seen;
  std::size_t unknown = 0;
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePieceModel::Piece& piece = model.pieces[i];
    const auto refuse = [&](const char* why) {
      throw InputError(
          fmt::format("{}: piece {}, {}, {}", where, i, lingua::quoted(piece.text), why));
    };
    if (piece.text.empty()) refuse("is empty");
    if (piece.text.find('\0') != std::string::npos) refuse("contains a zero byte");
    if (!seen.insert(piece.text).second) refuse("stands there twice");
    if (!std::isfinite(piece.score)) refuse("has a score that is no number");
    if (piece.kind == PieceKind::kUnknown && ++unknown > 1) refuse("is a second unknown piece");
    if (piece.kind == PieceKind::kByte) ++bytes;
  }
  if (unknown == 0) {
    throw InputError(
        fmt::format("{}: none of {} pieces is the unknown one", where, model.pieces.size()));
  }
  if (bytes != (model.byte_fallback ? 256U : 0U)) {
    throw InputError(fmt::format("{}: {} pieces for bytes; {} are accepted", where, bytes,
                                 model.byte_fallback ? 256 : 0));
  }
  for (unsigned byte = 0; model.byte_fallback && byte < 256; ++byte) {
    if (!seen.contains(fmt::format("<0x{:02X}>", byte))) {
      throw InputError(fmt::format("{}: the piece for byte {} is missing", where, byte));
    }
  }
  if (!table_is_sound(model.normalisation_table)) {
    throw InputError(fmt::format("{}: the normalisation table of {} bytes points outside itself",
                                 where, model.normalisation_table.size()));
  }
}

std::string serialise_sentencepiece(const SentencePieceModel& model) {
  std::string out;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    std::string bytes;
    put(bytes, 1, piece.text);
    const auto bits = std::bit_cast<std::uint32_t>(piece.score);
    put_varint(bytes, 2 << 3 | 5);
    for (unsigned i = 0; i < 4; ++i) bytes += static_cast<char>(bits >> 8 * i & 0xFF);
    put(bytes, 3, static_cast<std::uint64_t>(piece.kind));
    put(out, 1, bytes);
  }
  std::string trainer;
  put(trainer, 3, static_cast<std::uint64_t>(model.kind));
  put(trainer, 24, std::uint64_t{model.space_is_suffix});
  put(trainer, 35, std::uint64_t{model.byte_fallback});
  put(trainer, 44, model.unknown_surface);
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    if (piece.kind == SentencePieceModel::PieceKind::kUnknown) put(trainer, 45, piece.text);
  }
  put(trainer, 46, model.bos);
  put(trainer, 47, model.eos);
  put(out, 2, trainer);
  std::string normalizer;
  if (!model.normalisation_table.empty()) put(normalizer, 2, model.normalisation_table);
  put(normalizer, 3, std::uint64_t{model.add_dummy_prefix});
  put(normalizer, 4, std::uint64_t{model.remove_extra_whitespaces});
  put(normalizer, 5, std::uint64_t{model.escape_whitespaces});
  put(out, 3, normalizer);
  return out;
}

}  // namespace lingua
