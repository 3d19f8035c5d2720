#pragma once
// The steps of tokenizer.json around its model: normalizers and pre-tokenizers before it.
//
// Each is made from its JSON description. Errors: InputError for an unknown step, by name, with the
// names of those there are; and for fields that are not what they should be.
// Threads: a step may be called from several threads.
// Source: github.com/huggingface/tokenizers (what each step does).

#include <functional>
#include <string>
#include <vector>

#include "runtime/text/json_field.h"
#include "runtime/text/unicode.h"

namespace lingua {

using Normalizer = std::function<std::string(std::string)>;

// The identity for a field that does not exist.
Normalizer make_normalizer(const JsonField& field);

// A piece of a text on its way to becoming a word.
struct Piece {
  std::string text;
  bool at_start = false;  // of the whole text
};
using PreTokenizer = std::function<std::vector<Piece>(std::vector<Piece>)>;

// The identity for a field that does not exist.
PreTokenizer make_pre_tokenizer(const JsonField& field);

// Pieces are cut where an expression matches, each match a piece of its own.
PreTokenizer split_by(Regex regex);

// The words that GPT-2 cuts a text into.
extern const char* const kGpt2Words;

// Each byte as one of 256 visible characters (GPT-2's table), in words of kGpt2Words or whole.
PreTokenizer make_byte_level(bool add_prefix_space, bool use_regex);

// The bytes that characters of that table stand for; the text itself when one is not of it.
std::string bytes_of_byte_level(const std::string& text);

// The member "pattern" of a step: {"String": ...} or {"Regex": ...}.
Regex make_pattern(const JsonField& field);

// The steps of a file must not blow a text up, one after the other. Errors: InputError
// "WHERE: ..." when `now` bytes are more than any tokenizer makes of `before`.
void check_growth(std::size_t before, std::size_t now, const std::string& where);

// `text` with every match replaced. Errors: as check_growth.
std::string replace_all(const std::string& text, const Regex& pattern, const std::string& by);

}  // namespace lingua
