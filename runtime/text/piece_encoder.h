#pragma once
// SentencePiece's encoder: from a text to the ids of its pieces.
//
// It lives in a module of its own, loaded at run time: the SentencePiece of Debian 12 carries a
// protobuf of its own whose names are those of the protobuf that LibTorch brings, of another
// version, and in one scope each would call the other's functions. Builds without LibTorch
// (sanitizers, fuzzing) link it directly.
// Threads: encode may be called from several threads.

#include <memory>
#include <string>
#include <vector>

namespace lingua {

class PieceEncoder {
 public:
  virtual ~PieceEncoder() = default;
  virtual std::vector<int> encode(const std::string& text) const = 0;
};

// `serialised`: a ModelProto. Null, and the library's reason, when it refuses the model.
// Errors: WorldError when the module is not there.
std::unique_ptr<PieceEncoder> load_piece_encoder(const std::string& serialised,
                                                 std::string* refusal);

// What the module exports, under a name without C++ in it; the caller owns the result.
extern "C" PieceEncoder* lingua_new_piece_encoder(const std::string& serialised,
                                                  std::string* refusal);

}  // namespace lingua
