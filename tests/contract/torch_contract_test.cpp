// The contract of Executor with real numerics: LibTorch alone (the real world) and charged with
// modelled time inside SimGrid (the emulated world).

#include "runtime/partition/partition.h"
#include "runtime/torch/torch_executor.h"
#include "sim/cluster/sim_cluster.h"
#include "tests/contract/executor_contract.h"
#include "tests/contract/message_bytes.h"
#include "tests/torch/script_support.h"

namespace lingua::testing {
namespace {

constexpr const char* kForward =
    "def forward(self, x: Tensor, new_tokens: int, cached_tokens: int, s: Tensor):\n"
    "  total = cached_tokens + new_tokens\n"
    "  s[cached_tokens:total] = x\n"
    "  return torch.matmul(x, self.w) + torch.sum(s[0:total], 0)\n";

std::string contract_program() {
  static const std::string program = [] {
    const ImportedModel model =
        import_script(script(define(kForward, {{"w", at::randn({4, 4})}}),
                             {input("x", DType::kFloat32, {kN, 4.0}), step_scalar("new_tokens"),
                              step_scalar("cached_tokens"), state("s", {kCapacity, 4})}));
    return model.source->program(cut_at(model.graph, {}).segments.at(0));
  }();
  return program;
}

class RealExecutor final : public ExecutorWorld {
 public:
  void run(const std::function<void(Executor&)>& use) override { use(*make_torch_executor()); }
  std::string program() override { return contract_program(); }
};

class EmulatedExecutor final : public ExecutorWorld {
 public:
  void run(const std::function<void(Executor&)>& use) override {
    ClusterSpec cluster;
    cluster.default_link = {1e6, Seconds(0)};
    cluster.devices = {{"a", 1e9, 1e9, 1e6, 1, Seconds(0)}};
    SimCluster simulation(cluster,
                          {message_bytes, [](const DeviceSpec&) { return make_torch_executor(); }});
    simulation.start("a", [&](Device& device) { use(device.executor()); });
    simulation.run();
  }
  std::string program() override { return contract_program(); }
};

RealExecutor real_executor;
EmulatedExecutor emulated_executor;

INSTANTIATE_TEST_SUITE_P(Real, ExecutorContract, ::testing::Values(&real_executor));
INSTANTIATE_TEST_SUITE_P(Emulated, ExecutorContract, ::testing::Values(&emulated_executor));

}  // namespace
}  // namespace lingua::testing
