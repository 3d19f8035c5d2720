#pragma once
// What the classes of transformers do beyond the tokenizer's own file.
//
// Source: transformers 4.57, models/*/tokenization_*_fast.py and convert_slow_tokenizer.py. A class
// that is not here (PreTrainedTokenizerFast, TokenizersBackend of transformers 5, code of a model's
// own) takes tokenizer.json as it is.

#include <string>
#include <vector>

namespace lingua {

struct TokenizerClass {
  std::string name;  // without "Fast"; empty: no file names one

  // Special tokens where the files name none; empty: none.
  std::string bos;
  std::string eos;
  std::string unknown;
  std::string pad;
  std::vector<std::string> additional;

  bool sets_ends = false;    // add_bos_token and add_eos_token count, whatever tokenizer.json says
  bool adds_bos = false;     // when add_bos_token is not given
  bool wraps_names = false;  // a special token named by its text alone has no flags set
  bool prefixes_nested = false;  // add_prefix_space: true holds inside sequences too
  bool keeps_prefix = false;     // without add_prefix_space tokenizer.json's own holds; else false

  // How tokenizer.model is read when it stands alone.
  bool reads_pieces = false;
  bool has_legacy = false;  // "legacy": false puts a space before the first part of a text only
  bool prefixes_pieces = false;             // a space before a text's parts
  std::vector<std::string> special_pieces;  // although the file calls them user-defined
};

// `name` may end in "Fast". `model_type` of config.json says the class where no file names one.
TokenizerClass tokenizer_class(const std::string& name, const std::string& model_type);

}  // namespace lingua
