#include "runtime/net/wire.h"

#include <google/protobuf/arena.h>

#include "runtime/base/errors.h"
#include "runtime/net/wire_internal.h"

namespace lingua {
namespace internal {

bool is_transport(const wire::Envelope& envelope) {
  return (envelope.body_case() >= wire::Envelope::kJoin &&
          envelope.body_case() <= wire::Envelope::kWelcome) ||
         envelope.has_forward() || envelope.has_gone();
}

}  // namespace internal

namespace {

// Memory for one message at a time, kept by each thread.
class ScratchArena {
 public:
  ScratchArena() : arena_(options(block_)) {}

  wire::Envelope* envelope() {
    arena_.Reset();
    return google::protobuf::Arena::CreateMessage<wire::Envelope>(&arena_);
  }

 private:
  static constexpr std::size_t kBlockBytes = 16384;

  static google::protobuf::ArenaOptions options(char* block) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = kBlockBytes;
    return options;
  }

  alignas(64) char block_[kBlockBytes];
  google::protobuf::Arena arena_;
};

wire::Envelope* scratch_envelope() {
  thread_local ScratchArena scratch;
  return scratch.envelope();
}

}  // namespace

std::vector<Frame> encode(const Message& message) {
  wire::Envelope* envelope = scratch_envelope();
  envelope->set_sent_s(message.sent.count());
  std::vector<Frame> frames(1);
  internal::fill_envelope(message.body, envelope, &frames);
  frames.front() = internal::make_control_frame(*envelope);
  return frames;
}

Message decode(const std::vector<Frame>& frames) {
  if (frames.empty()) throw InputError("message: no frames; at least one was expected");
  wire::Envelope* envelope = scratch_envelope();
  internal::parse_envelope(frames.front().bytes, envelope);
  return internal::decode_body(*envelope, frames);
}

double wire_bytes(const MessageBody& body) {
  wire::Envelope* envelope = scratch_envelope();
  envelope->set_sent_s(0);
  const double extra = internal::fill_envelope(body, envelope, nullptr);
  return static_cast<double>(envelope->ByteSizeLong()) + extra;
}

}  // namespace lingua
