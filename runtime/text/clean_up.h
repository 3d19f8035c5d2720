#pragma once
// Spaces before punctuation and English contractions, which some tokenizers' files want left out of
// decoded texts ("clean_up_tokenization_spaces").
//
// Source: transformers, PreTrainedTokenizerBase.clean_up_tokenization.

#include <string>

namespace lingua {

std::string clean_up_spaces(std::string text);

// The beginning of a text that goes on which nothing that follows can change: its length in bytes.
std::size_t settled_length(const std::string& text);

}  // namespace lingua
