#pragma once
// A text as a QR code for terminals: dark on light, two rows of modules in each line of characters.

#include <string>

namespace lingua {

// Empty where the text is too long for one.
std::string qr_code(const std::string& text);

}  // namespace lingua
