#pragma once
// The two halves of the wire format, for the transport, which has messages of its own (join, clock,
// directory, goodbye) in the same envelope.

#include <optional>
#include <string_view>
#include <vector>

#include "runtime/net/wire.h"
#include "wire.pb.h"

namespace lingua::internal {

// Bounds that decode enforces beside the sizes of frames.
inline constexpr int kMaxDims = 16;
inline constexpr std::int64_t kMaxDim = std::int64_t{1} << 40;
inline constexpr std::int64_t kMaxTensorBytes = std::int64_t{1} << 50;
inline constexpr std::size_t kMaxDigest = 64;
inline constexpr int kEventsPerPage = 4096;

// Fills the body of an envelope. What goes into frames of its own is appended to `extra`, or, where
// `extra` is null, only counted as if all tensors had data. Returns the bytes of those frames.
double fill_envelope(const MessageBody& body, wire::Envelope* envelope, std::vector<Frame>* extra);

// A frame of Protobuf. Errors: WorldError when it is larger than kMaxControlBytes.
Frame make_control_frame(const google::protobuf::MessageLite& message);

// Errors: InputError when the bytes are no envelope.
void parse_envelope(std::string_view bytes, wire::Envelope* envelope);

// True for what the transport says for itself; decode_body refuses these.
bool is_transport(const wire::Envelope& envelope);

// The message of an envelope and its further frames (frames[1], ...). Errors: InputError.
Message decode_body(const wire::Envelope& envelope, const std::vector<Frame>& frames);

// wire_exercise.cpp. Their tensors are not theirs to fill.
void fill_exercise(const Exercise& m, wire::Exercise* out);
void fill_exercise(const Exercised& m, wire::Exercised* out);
void fill_exercise(const ExerciseLink& m, wire::ExerciseLink* out);
void fill_exercise(const Echo& m, wire::Echo* out);
void fill_exercise(const Bulk& m, wire::Bulk* out);
void fill_exercise(const LinkTimes& m, wire::LinkTimes* out);
Exercise decode_exercise(const wire::Exercise& in);  // InputError, as all of these
Exercised decode_exercise(const wire::Exercised& in);
ExerciseLink decode_exercise(const wire::ExerciseLink& in);
Echo decode_exercise(const wire::Echo& in);
Bulk decode_exercise(const wire::Bulk& in);
LinkTimes decode_exercise(const wire::LinkTimes& in);

// wire_device.cpp
void fill_computing(const Computing& computing, wire::Computing* out);
Computing decode_computing(const wire::Computing& in);  // InputError
void fill_device_spec(const DeviceSpec& spec, wire::DeviceSpec* out);
DeviceSpec decode_device_spec(const wire::DeviceSpec& in);  // InputError

}  // namespace lingua::internal
