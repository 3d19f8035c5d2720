// A machine of links_test.sh: the engine's own loops over real connections, and a toy model.
//   link_peer coordinate ADDRESS LOSS_TIMEOUT BALLAST PROMPT REQUESTS
//   link_peer work NAME LISTEN COORDINATOR LOSS_TIMEOUT
// The coordinator waits for w1, w2 and w3, deploys a third of the model to each, with BALLAST bytes of
// weights to the first and the last, and answers REQUESTS requests of PROMPT tokens (0: without end).
// It says "listening", "weights" and "running" on stderr when it is so far, and ends as `lingua` does.

#include <fmt/format.h>

#include "runtime/engine/run.h"
#include "runtime/engine/worker.h"
#include "runtime/net/net_device.h"
#include "tests/net/null_executor.h"
#include "tests/support/toy_model.h"

namespace {

using namespace lingua;

constexpr int kSegments = 6;

NetOptions net_options(const std::string& listen, double loss_timeout_s) {
  NetOptions options;
  options.listen = listen;
  options.loss_timeout = Seconds(loss_timeout_s);
  options.join_timeout = Seconds(5);
  options.say = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  return options;
}

void say(const char* what) {
  fmt::print(stderr, "{}\n", what);
  std::fflush(stderr);
}

void coordinate(const std::string& address, double loss_timeout_s, std::int64_t ballast,
                std::int64_t prompt, std::int64_t requests) {
  Segmentation segmentation = testing::toy_segmentation(kSegments, true);
  for (int i : {0, kSegments - 1}) {
    segmentation.segments[static_cast<std::size_t>(i)].weights.push_back(
        {fmt::format("ballast {}", i), DType::kUInt8, {ballast}});
  }
  testing::ToySource source;
  RunJob job;
  job.coordinator.deployment.segmentation = &segmentation;
  job.coordinator.deployment.source = &source;
  job.coordinator.deployment.plan.stages = {
      {"w1", 0, 1, {}}, {"w2", 2, 3, {}}, {"w3", 4, kSegments - 1, {}}};
  job.coordinator.deployment.plan.transfers =
      transfers_of(segmentation, job.coordinator.deployment.plan.stages);
  job.coordinator.settle = Seconds(loss_timeout_s / 2);
  std::int64_t submitted = 0;
  job.client.next_request = [&](const auto&) -> std::optional<Submit> {
    if (requests > 0 && submitted == requests) return std::nullopt;
    Submit submit;
    submit.request = submitted++;
    submit.inputs = {
        make_int64_tensor(std::vector<std::int64_t>(static_cast<std::size_t>(prompt), 7))};
    submit.max_tokens = 50;
    submit.capacity = prompt + 50;
    return submit;
  };
  bool weights = false;
  bool tokens = false;
  job.coordinator.on_weights = [&](double, double) {
    if (!std::exchange(weights, true)) say("weights");
  };
  job.client.on_token = [&](const TokenMade&) {
    if (!std::exchange(tokens, true)) say("running");
    return true;
  };
  NetCoordinator coordinator(net_options(address, loss_timeout_s));
  say("listening");
  coordinator.wait_for({"w1", "w2", "w3"}, [] {});
  const auto client = coordinator.open_client(kOnlyClient);
  run_job(coordinator.mailbox(), *client, job);
}

void work(const std::string& name, const std::string& listen, const std::string& coordinator,
          double loss_timeout_s) {
  const auto device =
      join_as_worker({spec_of(name), coordinator, net_options(listen, loss_timeout_s), {}},
                     std::make_unique<testing::ToyExecutor>());
  run_worker(*device, {});
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> args(argv + 1, argv + argc);
    if (args.size() == 6 && args[0] == "coordinate") {
      coordinate(args[1], std::stod(args[2]), std::stoll(args[3]), std::stoll(args[4]),
                 std::stoll(args[5]));
    } else {
      LINGUA_CHECK(args.size() == 5 && args[0] == "work");
      work(args[1], args[2], args[3], std::stod(args[4]));
    }
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "link_peer: {}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
