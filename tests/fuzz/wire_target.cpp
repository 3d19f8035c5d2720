#include <algorithm>

#include "runtime/base/errors.h"
#include "runtime/net/address.h"
#include "runtime/net/net_device.h"
#include "runtime/net/wire.h"
#include "runtime/net/wire_internal.h"
#include "tests/fuzz/target.h"
#include "tests/net/samples.h"

namespace lingua::testing {
namespace {

constexpr std::size_t kLengthBytes = 2;

// A message in one string: each frame after two bytes that say its length.
std::string packed(const std::vector<Frame>& frames) {
  std::string bytes;
  for (const Frame& frame : frames) {
    LINGUA_CHECK(frame.bytes.size() < 65536);
    bytes += static_cast<char>(frame.bytes.size() & 0xff);
    bytes += static_cast<char>(frame.bytes.size() >> 8);
    bytes += frame.bytes;
  }
  return bytes;
}

// And back, of any bytes. Each frame has memory of its own, so that reading beyond it is seen.
std::vector<Frame> unpacked(std::string_view bytes) {
  std::vector<Frame> frames;
  while (bytes.size() >= kLengthBytes) {
    const auto low = static_cast<unsigned char>(bytes[0]);
    const auto high = static_cast<unsigned char>(bytes[1]);
    bytes.remove_prefix(kLengthBytes);
    const std::size_t size = std::min<std::size_t>(low | high << 8, bytes.size());
    const auto owner =
        std::make_shared<const std::vector<char>>(bytes.begin(), bytes.begin() + size);
    frames.push_back({{owner->data(), size}, owner});
    bytes.remove_prefix(size);
  }
  return frames;
}

// What joining reads of the messages that are the transport's own.
void read_as_transport(const wire::Envelope& envelope) {
  try {
    if (envelope.has_join()) {
      internal::decode_device_spec(envelope.join().spec());
      device_name_problem(envelope.join().spec().name());
      internal::parse_numeric_address(envelope.join().address());
    }
    for (const wire::Directory::Entry& entry : envelope.directory().entries()) {
      device_name_problem(entry.name());
      internal::parse_numeric_address(entry.address());
      public_key_of(entry.public_key());
    }
  } catch (const WorldError& error) {
    throw InputError(error.what());
  }
}

void run(const std::string& bytes) {
  const std::vector<Frame> frames = unpacked(bytes);
  wire::Envelope envelope;
  if (!frames.empty()) internal::parse_envelope(frames.front().bytes, &envelope);
  if (internal::is_transport(envelope)) {
    read_as_transport(envelope);
    return;
  }
  const Message message = decode(frames);
  describe(message.body);
  const std::string again = packed(encode(message));
  LINGUA_CHECK(packed(encode(decode(unpacked(again)))) == again, "'{}' changes on the way",
               describe(message.body));
}

std::string packed(const wire::Envelope& envelope) {
  return packed({internal::make_control_frame(envelope)});
}

// Large ones would leave a fuzzer little to do in its time.
std::vector<std::string> samples() {
  std::vector<std::string> all;
  for (MessageBody body : sample_bodies()) {
    if (auto* events = std::get_if<Events>(&body)) events->rows.resize(3);
    if (auto* program = std::get_if<SegmentProgram>(&body)) program->program.resize(2);
    if (auto* chunk = std::get_if<WeightChunk>(&body))
      chunk->bytes = sample_tensor(DType::kUInt8, {9});
    Message message;
    message.sent = Seconds(12.5);
    message.body = std::move(body);
    all.push_back(packed(encode(message)));
  }
  wire::Envelope join;
  internal::fill_device_spec({"phone1", 20e9, 10e9, 8e9, 4, Seconds(0.001)},
                             join.mutable_join()->mutable_spec());
  join.mutable_join()->set_protocol(kWireProtocol);
  join.mutable_join()->set_address("tcp://127.0.0.1:5555");
  join.mutable_join()->set_token("token");
  wire::Envelope directory;
  wire::Directory::Entry* entry = directory.mutable_directory()->add_entries();
  entry->set_name("phone1");
  entry->set_address("tcp://127.0.0.1:5555");
  entry->set_public_key(std::string(32, 'k'));
  wire::Envelope clock;
  clock.mutable_clock()->set_round(3);
  clock.mutable_clock()->set_now_s(1.5);
  for (const wire::Envelope& envelope : {join, directory, clock}) all.push_back(packed(envelope));
  return all;
}

}  // namespace

FuzzTarget wire_target() { return {"wire", run, samples}; }

}  // namespace lingua::testing
