#include <array>
#include <map>
#include <memory>

#include "runtime/text/text_steps.h"
#include "runtime/text/utf8.h"

namespace lingua {

const char* const kGpt2Words =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

namespace {

enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

struct Cut {
  ByteRange range;
  bool match = false;
};

// The matches and what stands between them, all of the text.
std::vector<Cut> cuts_of(std::size_t size, const std::vector<ByteRange>& matches, bool invert) {
  std::vector<Cut> cuts;
  std::size_t from = 0;
  for (const ByteRange& match : matches) {
    if (from != match.begin) cuts.push_back({{from, match.begin}, invert});
    cuts.push_back({match, !invert});
    from = match.end;
  }
  if (from != size) cuts.push_back({{from, size}, invert});
  return cuts;
}

std::vector<ByteRange> joined(const std::vector<Cut>& cuts, Behavior behavior) {
  std::vector<ByteRange> ranges;
  bool last_match = false;
  for (const Cut& cut : cuts) {
    const bool first = ranges.empty();
    switch (behavior) {
      case Behavior::kRemoved:
        if (!cut.match) ranges.push_back(cut.range);
        break;
      case Behavior::kIsolated: ranges.push_back(cut.range); break;
      case Behavior::kContiguous:
        if (!first && cut.match == last_match) {
          ranges.back().end = cut.range.end;
        } else {
          ranges.push_back(cut.range);
        }
        break;
      case Behavior::kMergedWithPrevious:
        if (!first && cut.match && !last_match) {
          ranges.back().end = cut.range.end;
        } else {
          ranges.push_back(cut.range);
        }
        break;
      case Behavior::kMergedWithNext:
        if (!first && last_match && !cut.match) {
          ranges.back().end = cut.range.end;
        } else {
          ranges.push_back(cut.range);
        }
        break;
    }
    last_match = cut.match;
  }
  return ranges;
}

template <class Cutter>
PreTokenizer cut_by(Cutter cutter, Behavior behavior) {
  return [cutter, behavior](const std::vector<Piece>& pieces) {
    std::vector<Piece> result;
    for (const Piece& piece : pieces) {
      for (const ByteRange& range : joined(cutter(piece.text), behavior)) {
        if (range.begin == range.end) continue;
        result.push_back({piece.text.substr(range.begin, range.end - range.begin),
                          piece.at_start && range.begin == 0});
      }
    }
    return result;
  };
}

PreTokenizer split_by(Regex regex, Behavior behavior, bool invert) {
  const auto shared = std::make_shared<const Regex>(std::move(regex));
  return cut_by(
      [shared, invert](const std::string& text) {
        return cuts_of(text.size(), shared->find_all(text), invert);
      },
      behavior);
}

// Each character of a kind is a match.
PreTokenizer split_at(bool (*is_of_kind)(char32_t), Behavior behavior) {
  return cut_by(
      [is_of_kind](const std::string& text) {
        std::vector<ByteRange> matches;
        for (std::size_t at = 0; at < text.size();) {
          const Utf8Piece piece = utf8_piece(text, at);
          if (is_of_kind(piece.code_point)) matches.push_back({at, at + piece.bytes});
          at += piece.bytes;
        }
        return cuts_of(text.size(), matches, false);
      },
      behavior);
}

Behavior behavior_of(const JsonField& field) {
  static const std::map<std::string, Behavior> kNames = {
      {"Removed", Behavior::kRemoved},
      {"Isolated", Behavior::kIsolated},
      {"MergedWithPrevious", Behavior::kMergedWithPrevious},
      {"MergedWithNext", Behavior::kMergedWithNext},
      {"Contiguous", Behavior::kContiguous}};
  const auto found = kNames.find(field.text());
  if (found == kNames.end()) {
    field.refuse(
        "Removed, Isolated, MergedWithPrevious, MergedWithNext and Contiguous are accepted");
  }
  return found->second;
}

PreTokenizer make_metaspace(const JsonField& field) {
  const std::string mark = field["replacement"].text();
  if (mark.empty() || utf8_piece(mark, 0).bytes != mark.size()) {
    field["replacement"].refuse("one character is accepted");
  }
  const std::string scheme =
      field["prepend_scheme"].text(field["add_prefix_space"].flag(true) ? "always" : "never");
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    field["prepend_scheme"].refuse("always, first and never are accepted");
  }
  const auto space = std::make_shared<const Regex>(Regex::literal(" ", field.where()));
  const PreTokenizer split =
      field["split"].flag(true)
          ? split_by(Regex::literal(mark, field.where()), Behavior::kMergedWithNext, false)
          : nullptr;
  return [=](std::vector<Piece> pieces) {
    for (Piece& piece : pieces) {
      piece.text = replace_all(piece.text, *space, mark);
      const bool wanted = scheme == "always" || (scheme == "first" && piece.at_start);
      if (wanted && !piece.text.starts_with(mark)) piece.text = mark + piece.text;
    }
    return split ? split(std::move(pieces)) : pieces;
  };
}

// GPT-2's table: visible characters stand for themselves, the others for U+0100 on.
const std::array<std::string, 256>& byte_characters() {
  static const std::array<std::string, 256> kTable = [] {
    std::array<std::string, 256> table;
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool visible =
          (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD && byte <= 0xFF);
      const unsigned c = visible ? byte : next++;
      if (c < 0x80) {
        table[byte].push_back(static_cast<char>(c));
      } else {
        table[byte].push_back(static_cast<char>(0xC0 | c >> 6));
        table[byte].push_back(static_cast<char>(0x80 | (c & 0x3F)));
      }
    }
    return table;
  }();
  return kTable;
}

std::size_t bytes_of(const std::vector<Piece>& pieces) {
  std::size_t bytes = 0;
  for (const Piece& piece : pieces) bytes += piece.text.size();
  return bytes;
}

}  // namespace

PreTokenizer split_by(Regex regex) {
  return split_by(std::move(regex), Behavior::kIsolated, false);
}

PreTokenizer make_byte_level(bool add_prefix_space, bool use_regex) {
  const PreTokenizer words = use_regex ? split_by(Regex(kGpt2Words, "ByteLevel")) : nullptr;
  return [=](std::vector<Piece> pieces) {
    if (add_prefix_space) {
      for (Piece& piece : pieces) {
        if (!piece.text.starts_with(' ')) piece.text.insert(0, 1, ' ');
      }
    }
    if (words) pieces = words(std::move(pieces));
    for (Piece& piece : pieces) {
      std::string mapped;
      mapped.reserve(2 * piece.text.size());
      for (const char c : piece.text) mapped += byte_characters()[static_cast<unsigned char>(c)];
      piece.text = std::move(mapped);
    }
    return pieces;
  };
}

std::string bytes_of_byte_level(const std::string& text) {
  static const std::map<std::string, char, std::less<>> kBytes = [] {
    std::map<std::string, char, std::less<>> bytes;
    for (unsigned byte = 0; byte < 256; ++byte) {
      bytes.emplace(byte_characters()[byte], static_cast<char>(byte));
    }
    return bytes;
  }();
  std::string bytes;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view character =
        std::string_view(text).substr(at, utf8_piece(text, at).bytes);
    const auto found = kBytes.find(character);
    if (found == kBytes.end()) return text;
    bytes += found->second;
    at += character.size();
  }
  return bytes;
}

PreTokenizer make_pre_tokenizer(const JsonField& field) {
  if (!field.exists()) return [](std::vector<Piece> pieces) { return pieces; };
  const std::string type = field.type();
  if (type == "Sequence") {
    std::vector<PreTokenizer> steps;
    for (const JsonField& step : field["pretokenizers"].items()) {
      steps.push_back(make_pre_tokenizer(step));
    }
    return [steps, where = field.where()](std::vector<Piece> pieces) {
      const std::size_t before = bytes_of(pieces);
      for (const PreTokenizer& step : steps) {
        pieces = step(std::move(pieces));
        check_growth(before, bytes_of(pieces), where);
      }
      return pieces;
    };
  }
  if (type == "ByteLevel") {
    return make_byte_level(field["add_prefix_space"].flag(true), field["use_regex"].flag(true));
  }
  if (type == "Split") {
    return split_by(make_pattern(field), behavior_of(field["behavior"]),
                    field["invert"].flag(false));
  }
  if (type == "Digits") {
    return split_at(is_numeric, field["individual_digits"].flag(false) ? Behavior::kIsolated
                                                                       : Behavior::kContiguous);
  }
  if (type == "Punctuation") {
    const JsonField behavior = field["behavior"];
    return split_at(is_punctuation,
                    behavior.exists() ? behavior_of(behavior) : Behavior::kIsolated);
  }
  if (type == "WhitespaceSplit") return split_at(is_white_space, Behavior::kRemoved);
  if (type == "Metaspace") return make_metaspace(field);
  field["type"].refuse(
      "pre-tokenizers ByteLevel, Split, Digits, Punctuation, WhitespaceSplit, Metaspace and "
      "Sequence are accepted");
}

}  // namespace lingua
