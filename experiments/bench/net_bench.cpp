// What the transport costs: bytes per second of large pieces, the round trip of small messages, and
// the size of a message, which the simulator asks for each time it sends one.

#include <benchmark/benchmark.h>

#include <thread>

#include "runtime/base/errors.h"
#include "runtime/net/net_device.h"
#include "runtime/net/wire.h"
#include "tests/net/null_executor.h"

namespace lingua {
namespace {

// A coordinator, and a worker on a thread of its own that answers whatever it hears with a WeightAck.
class Pair {
 public:
  Pair() : worker_([this] { answer(); }) {
    coordinator_.wait_for({"phone"}, [] {});
  }
  ~Pair() {
    mailbox().send("phone", Stop{});
    worker_.join();
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  Mailbox& mailbox() { return coordinator_.mailbox(); }

  // REQUIRES: an answer is under way.
  void await_answer() {
    const auto message = mailbox().receive(mailbox().now() + Seconds(30));
    LINGUA_CHECK(message && std::holds_alternative<WeightAck>(message->body));
  }

 private:
  void answer() {
    const auto phone = join_as_worker({spec_of("phone"), coordinator_.address(), {}, {}},
                                      std::make_unique<NullExecutor>());
    while (const auto message = phone->receive(kNever)) {
      if (std::holds_alternative<Stop>(message->body)) return;
      phone->send(kCoordinator, WeightAck{});
    }
  }

  NetCoordinator coordinator_{NetOptions{}};
  std::thread worker_;
};

void LoopbackWeightPieces(benchmark::State& state) {
  Pair pair;
  const std::int64_t bytes = state.range(0);
  constexpr int kWindow = 4;
  const Tensor piece{DType::kUInt8, {bytes}, allocate_bytes(bytes)};
  const auto send = [&] { pair.mailbox().send("phone", WeightChunk{1, "weight", 0, piece, 0}); };
  for (int i = 0; i < kWindow; ++i) send();
  for (auto _ : state) {
    pair.await_answer();
    send();
  }
  for (int i = 0; i < kWindow; ++i) pair.await_answer();
  state.SetBytesProcessed(state.iterations() * bytes);
}
BENCHMARK(LoopbackWeightPieces)->Arg(64 << 10)->Arg(4 << 20)->UseRealTime();

void LoopbackRoundTrip(benchmark::State& state) {
  Pair pair;
  for (auto _ : state) {
    pair.mailbox().send("phone", TokenMade{1, 2, 3});
    pair.await_answer();
  }
}
BENCHMARK(LoopbackRoundTrip)->UseRealTime();

Activations activations(std::int64_t tokens) {
  const Tensor hidden{DType::kFloat32, {1, tokens, 2048}, nullptr};
  Activations message;
  message.epoch = 3;
  message.request = 8;
  message.step_index = 17;
  message.step = {tokens, 300};
  message.capacity = 512;
  message.values = {420, 421};
  message.tensors = {hidden, hidden};
  return message;
}

void WireBytes(benchmark::State& state, const MessageBody& body) {
  for (auto _ : state) benchmark::DoNotOptimize(wire_bytes(body));
}
BENCHMARK_CAPTURE(WireBytes, activations, activations(1));
BENCHMARK_CAPTURE(WireBytes, step_result, StepResult{3, 8, 17, kNoToken, {}});
BENCHMARK_CAPTURE(WireBytes, token_made, TokenMade{8, 17, kNoToken});

void EncodeAndDecode(benchmark::State& state) {
  Activations body = activations(1);
  for (Tensor& tensor : body.tensors) tensor.data = allocate_bytes(tensor.bytes());
  Message message;
  message.body = body;
  for (auto _ : state) benchmark::DoNotOptimize(decode(encode(message)));
}
BENCHMARK(EncodeAndDecode);

}  // namespace
}  // namespace lingua

BENCHMARK_MAIN();
