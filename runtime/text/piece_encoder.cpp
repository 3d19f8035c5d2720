#include "runtime/text/piece_encoder.h"

#include <sentencepiece_processor.h>

namespace lingua {
namespace {

class SentencePieceEncoder final : public PieceEncoder {
 public:
  std::string load(const std::string& serialised) {
    const sentencepiece::util::Status status = processor_.LoadFromSerializedProto(serialised);
    return status.ok() ? "" : status.ToString();
  }

  std::vector<int> encode(const std::string& text) const override {
    std::vector<int> ids;
    // It fails for models that are not loaded, and those never get out of here.
    static_cast<void>(processor_.Encode(text, &ids));
    return ids;
  }

 private:
  sentencepiece::SentencePieceProcessor processor_;
};

}  // namespace

extern "C" PieceEncoder* lingua_new_piece_encoder(const std::string& serialised,
                                                  std::string* refusal) {
  auto encoder = std::make_unique<SentencePieceEncoder>();
  *refusal = encoder->load(serialised);
  return refusal->empty() ? encoder.release() : nullptr;
}

}  // namespace lingua
