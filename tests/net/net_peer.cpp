// A worker process for tests: net_peer NAME COORDINATOR [relayed]
// Answers every TokenMade of the coordinator, sends what it is told to send to another device, and
// ends at Stop (or when the coordinator is lost).

#include <cstdio>
#include <exception>

#include "runtime/base/errors.h"
#include "runtime/net/net_device.h"
#include "tests/net/null_executor.h"

namespace {

using namespace lingua;

void serve(Device& device) {
  while (const auto message = device.receive(kNever)) {
    if (std::holds_alternative<Stop>(message->body)) return;
    if (std::holds_alternative<PeerLost>(message->body) && message->from == kCoordinator) return;
    if (std::holds_alternative<TokenMade>(message->body)) device.send(kCoordinator, message->body);
    if (std::holds_alternative<AskEvents>(message->body)) {
      // The last words of a process, larger than what the kernel buffers.
      Activations last;
      last.values = {0};
      last.tensors = {{DType::kUInt8, {32 << 20}, allocate_bytes(32 << 20)}};
      device.send(kCoordinator, last);
      device.send(kCoordinator, Events{});
      return;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    LINGUA_CHECK(argc == 3 || argc == 4);
    NetWorkerOptions options{spec_of(argv[1]), argv[2], {}, {}};
    options.spec.relayed = argc == 4;
    serve(*join_as_worker(options, std::make_unique<NullExecutor>()));
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "starting\nnet_peer: %s\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
