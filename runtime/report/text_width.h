#pragma once
// How wide a text will be, so that pictures keep their texts apart without a font at hand.
//
// Units: those of the size. Widths are Helvetica's (and so Arial's and Liberation Sans's); other letters
// than ASCII count as an average one, those of East Asia as wide as they are high.
// Source: Adobe's font metrics of Helvetica.

#include <string>
#include <string_view>
#include <vector>

namespace lingua {

double text_width(std::string_view text, double size);

// The text, or its ends with "…" between them, not wider than `width` where that has room for a letter.
std::string shortened(const std::string& text, double width, double size);

// In lines not wider than `width`, broken at spaces where there are some, else after "_", "-" or "/", else anywhere.
std::vector<std::string> wrapped(const std::string& text, double width, double size);

}  // namespace lingua
