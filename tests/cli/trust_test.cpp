// What devices say of themselves when they join: shown, and planned with where it is asked for.

#include "tests/cli/network_run_fixture.h"

namespace lingua::testing {
namespace {

using ::testing::HasSubstr;

class Trust : public NetworkRun {
 protected:
  // The model takes some 250 kB; left says that it has less.
  Outcome run_with_a_small_left(const std::vector<std::string>& more) {
    planner_ = "dp";
    start(std::vector<std::string>{"--insecure"} + more);
    const auto join = [&](const char* name, const std::vector<std::string>& said) {
      return worker(
          std::vector<std::string>{"--coordinator", address_, "--name", name, "--insecure"} + said);
    };
    const auto left = join("left", {"--memory", "1 kB"});
    const auto right = join("right", {"--compute", "20 GFLOP/s"});
    return run_->wait();
  }
};

TEST_F(Trust, PlansWithTheFileOrWithWhatDevicesSay) {
  const Outcome by_file = run_with_a_small_left({"--trust", "file"});
  EXPECT_THAT(by_file.err, HasSubstr("left says: memory 1.00 kB (the cluster file: 1.00 GB)"));
  EXPECT_THAT(by_file.err, HasSubstr("planned with the file"));
  const Outcome by_devices = run_with_a_small_left({"--trust", "devices"});
  ASSERT_EQ(by_devices.exit_code, 0) << by_devices.err;
  EXPECT_THAT(by_devices.err, HasSubstr("right says: "));
  EXPECT_THAT(by_devices.err, HasSubstr("compute 20.0 GFLOP/s (the cluster file: 10.0 GFLOP/s)"));
  const auto json = by_devices.json();
  ASSERT_EQ(json["plan"]["stages"].size(), 1U);
  EXPECT_EQ(json["plan"]["stages"][0]["device"], "right");
  EXPECT_EQ(json["devices_say"]["left"]["memory_bytes"], 1000);
}

TEST_F(Trust, RefusesWhatIsNeither) {
  expect_refused(lingua({"run", "--local", "--trust", "nobody", "--model", tiny_model()}), 2,
                 {"--trust 'nobody'", "file", "devices"});
  expect_refused(lingua({"worker", "--coordinator", "tcp://127.0.0.1:1", "--name", "a",
                         "--insecure", "--compute", "fast"}),
                 2, {"--compute: 'fast'", "GFLOP/s"});
}

}  // namespace
}  // namespace lingua::testing
