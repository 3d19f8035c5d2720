#include "runtime/app/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

TEST(WriteResults, DoesAllThatCanBeDoneAndThenThrowsTheFirstFailure) {
  const TemporaryFolder folder;
  OutputOptions output;
  output.log = "/dev/full";
  output.timeline = folder.file("timeline.json");
  bool printed = false;
  EventLog log;
  log.add(EventRow{"a", event::kCompute, 0, 0, 0, Seconds(0), Seconds(1), 8});
  const auto print = [&] { printed = true; };
  EXPECT_THAT(([&] { write_results(output, log, "title", {print}, {}); }),
              ::testing::ThrowsMessage<InputError>(::testing::HasSubstr("/dev/full")));
  EXPECT_TRUE(printed);
  EXPECT_TRUE(nlohmann::json::parse(read_file(output.timeline)).is_object());
}

}  // namespace
}  // namespace lingua
