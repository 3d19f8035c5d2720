#include <dlfcn.h>

#include "runtime/base/module.h"
#include "runtime/text/piece_encoder.h"

namespace lingua {

std::unique_ptr<PieceEncoder> load_piece_encoder(const std::string& serialised,
                                                 std::string* refusal) {
  // Its own names and those of its libraries come before those that the program has already.
  static const auto new_encoder = reinterpret_cast<decltype(&lingua_new_piece_encoder)>(
      module_entry(LINGUA_PIECE_ENCODER_MODULE, "lingua_new_piece_encoder",
                   RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND));
  return std::unique_ptr<PieceEncoder>(new_encoder(serialised, refusal));
}

}  // namespace lingua
