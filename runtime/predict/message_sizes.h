#pragma once
// What messages take on the wire besides the contents of their tensors, as net/wire.proto encodes them
// for greedy requests with numbers up to 127; others differ by a few bytes.
//
// Units: bytes. tests/net/wire_test.cpp compares these with the encoder.

namespace lingua {

inline constexpr double kActivationsBytes = 28;
inline constexpr double kTensorBytes = 12;  // of each tensor in a message
inline constexpr double kResultBytes = 26;  // a token
inline constexpr double kSubmitBytes = 59;
inline constexpr double kTokenMadeBytes = 24;
inline constexpr double kDoneBytes = 17;  // and 8 for each token
inline constexpr double kReleaseBytes = 13;

}  // namespace lingua
