#include "runtime/text/piece_encoder.h"

namespace lingua {

std::unique_ptr<PieceEncoder> load_piece_encoder(const std::string& serialised,
                                                 std::string* refusal) {
  return std::unique_ptr<PieceEncoder>(lingua_new_piece_encoder(serialised, refusal));
}

}  // namespace lingua
