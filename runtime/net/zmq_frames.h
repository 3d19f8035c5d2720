#pragma once
// Messages as ZeroMQ sends them: a part for each frame, without copying large ones.

#include <zmq.hpp>

#include "runtime/net/sockets.h"

namespace lingua::internal {

void send_frames(zmq::socket_t& socket, const std::vector<Frame>& frames);

// Receives one message; its first frame is the identity where the socket is a router. `descriptor`,
// where asked for: of the connection that it came over, -1 when that is not known.
std::optional<Incoming> receive_frames(zmq::socket_t& socket, bool router,
                                       int* descriptor = nullptr);

}  // namespace lingua::internal
