#include "runtime/cli/qr_code.h"

#include <qrencode.h>

#include <memory>

namespace lingua {

std::string qr_code(const std::string& text) {
  constexpr int kMargin = 4;  // modules of quiet zone, as the standard asks
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeString8bit(text.c_str(), 0, QR_ECLEVEL_L), QRcode_free);
  if (code == nullptr) return "";
  const int width = code->width;
  const auto is_dark = [&](int row, int column) {
    if (row < 0 || column < 0 || row >= width || column >= width) return false;
    return (code->data[row * width + column] & 1) != 0;
  };
  std::string picture;
  for (int row = -kMargin; row < width + kMargin; row += 2) {
    picture += "\x1b[30;107m";  // black on white, whatever the terminal's own colours
    for (int column = -kMargin; column < width + kMargin; ++column) {
      const bool above = is_dark(row, column);
      const bool below = is_dark(row + 1, column);
      picture += above && below ? "\u2588" : above ? "\u2580" : below ? "\u2584" : " ";
    }
    picture += "\x1b[0m\n";
  }
  return picture;
}

}  // namespace lingua
