#include "runtime/predict/flow_network.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

// Starts flows of these sizes at once, each on its way, and gives when each is done.
std::vector<double> done_times(const ClusterSpec& cluster,
                               const std::vector<std::pair<DeviceName, DeviceName>>& ends,
                               const std::vector<double>& bytes) {
  FlowNetwork network(cluster);
  std::vector<double> done(ends.size(), -1);
  std::vector<bool> over(ends.size(), false);
  const auto note = [&](const std::vector<FlowNetwork::Change>& changes) {
    for (const auto& change : changes) done[change.way] = change.done_s;
  };
  for (const auto& [from, to] : ends) network.add_way(from, to);
  for (std::size_t i = 0; i < ends.size(); ++i)
    note(network.begin(static_cast<int>(i), bytes[i], 0));
  for (std::size_t k = 0; k < ends.size(); ++k) {
    std::size_t next = ends.size();
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (!over[i] && (next == ends.size() || done[i] < done[next])) next = i;
    }
    over[next] = true;
    note(network.end(static_cast<int>(next), done[next]));
  }
  return done;
}

void expect_times(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-9) << i;
}

// The cases of tests/sim/network_test.cpp, without latency.
TEST(FlowNetwork, SharesRadiosAndTheMediumAsTheSimulatedClusterDoes) {
  ClusterSpec cluster;
  cluster.default_link = {1e6, Seconds(0)};
  expect_times(done_times(cluster, {{"a", "c"}, {"b", "c"}}, {1e6, 5e5}), {1.5, 1.0});
  expect_times(done_times(cluster, {{"a", "b"}, {"a", "c"}}, {1e6, 5e5}), {1.5, 1.0});
  expect_times(done_times(cluster, {{"a", "b"}, {"b", "a"}}, {5e5, 5e5}), {0.5, 0.5});
  expect_times(done_times(cluster, {{"a", "b"}, {"c", "d"}}, {5e5, 5e5}), {0.5, 0.5});
  cluster.shared_bytes_per_s = 1e6;
  expect_times(done_times(cluster, {{"a", "b"}, {"c", "d"}}, {5e5, 5e5}), {1.0, 1.0});
}

TEST(FlowNetwork, KeepsWhatGoesByDefaultAtTheDefaultBesideAFasterLink) {
  ClusterSpec cluster;
  cluster.default_link = {1e6, Seconds(0)};
  cluster.links[{"a", "b"}] = {1e7, Seconds(0)};
  expect_times(done_times(cluster, {{"a", "c"}}, {1e6}), {1.0});
  expect_times(done_times(cluster, {{"a", "b"}, {"a", "c"}}, {9e6, 1e6}), {1.0, 1.0});
}

TEST(FlowNetwork, GivesWhatATightLinkLeavesToTheOthers) {
  ClusterSpec cluster;
  cluster.default_link = {1e6, Seconds(0)};
  cluster.links[{"a", "b"}] = {2e5, Seconds(0)};
  expect_times(done_times(cluster, {{"a", "b"}, {"a", "c"}}, {2e5, 8e5}), {1.0, 1.0});
}

}  // namespace
}  // namespace lingua
