// Runs over a network as their users start them: keys, join lines, what is remembered, and who is refused.

#include <sys/stat.h>

#include <thread>

#include "tests/cli/network_run_fixture.h"

namespace lingua::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(NetworkRun, IsJoinedByALineOnceAndByNameFromThenOn) {
  join_once();
  start(keys("here"));
  EXPECT_TRUE(lines_.empty());
  EXPECT_THAT(run_->err(), HasSubstr("left, known: lingua worker --coordinator " + address_));
  EXPECT_EQ(tokens_with(by_name("left"), by_name("right")), tokens_);
}

TEST_F(NetworkRun, RefusesANameWithAnotherKeyAndGoesOn) {
  join_once();
  const std::string used = lines_["left"];
  start(keys("here"));
  for (const auto& arguments :
       {std::vector<std::string>{"--join", used} + keys("eve"),
        std::vector<std::string>{"--coordinator", address_, "--name", "left"} + keys("right")}) {
    const Outcome eve = worker(arguments)->wait(seconds(20));
    EXPECT_EQ(eve.exit_code, 5);
    EXPECT_THAT(eve.err, HasSubstr("'left' has another key than the last time"));
  }
  EXPECT_EQ(tokens_with(by_name("left"), by_name("right")), tokens_);
}

TEST_F(NetworkRun, RefusesTokensOfOthersAndGoesOn) {
  start(keys("here"));
  const Outcome eve =
      worker(std::vector<std::string>{"--coordinator", address_, "--name", "left"} + keys("eve"))
          ->wait(seconds(20));
  expect_refused(eve, 2, {"the coordinator at " + address_ + " is not known here", "--join LINE"});
  EXPECT_EQ(tokens_with(by_line("left"), by_line("right")).size(), 4U);
}

TEST_F(NetworkRun, KnowsACoordinatorThatHasAnotherKeyThanTheLastTime) {
  join_once();
  start(keys("pretender"));
  const Outcome by_address = by_name("left")->wait(seconds(30));
  expect_refused(by_address, 5, {"does not have the key that it should have", "somebody else"});
  const Outcome warned = by_line("left")->wait(seconds(20));
  expect_refused(warned, 5,
                 {"has another key than the last time", "somebody else pretends to be it",
                  "lingua keys forget " + address_});
  for (const char* who : {"left", "right"}) {
    const Outcome forgotten = lingua(std::vector<std::string>{"keys"} + keys(who) +
                                     std::vector<std::string>{"forget", address_});
    EXPECT_EQ(forgotten.exit_code, 0) << forgotten.err;
  }
  EXPECT_EQ(tokens_with(by_line("left"), by_line("right")), tokens_);
}

TEST_F(NetworkRun, RevokedDevicesNeedANewKeyAndANewLine) {
  join_once();
  const Outcome revoked = lingua(std::vector<std::string>{"keys"} + keys("here") +
                                 std::vector<std::string>{"revoke", "left"});
  EXPECT_EQ(revoked.exit_code, 0) << revoked.err;
  std::this_thread::sleep_for(
      seconds(1));  // tokens of the second in which it was revoked are too old
  start(keys("here"));
  ASSERT_EQ(lines_.count("left"), 1U) << run_->err();
  EXPECT_EQ(lines_.count("right"), 0U);
  const Outcome old = by_line("left")->wait(seconds(20));
  EXPECT_EQ(old.exit_code, 5);
  EXPECT_THAT(old.err, HasSubstr("was revoked"));
  ASSERT_EQ(lingua(std::vector<std::string>{"keys"} + keys("left") +
                   std::vector<std::string>{"new", "--replace"})
                .exit_code,
            0);
  EXPECT_EQ(tokens_with(by_line("left"), by_name("right")), tokens_);
}

TEST_F(NetworkRun, TellsWhoHasKeysAndWhoHasNot) {
  start(keys("here"));
  const Outcome plain =
      worker({"--coordinator", address_, "--name", "left", "--insecure"})->wait(seconds(30));
  expect_refused(plain, 5, {"what is there wants keys"});
  tokens_with(by_line("left"), by_line("right"));
  start({"--insecure"});
  EXPECT_THAT(run_->err(), HasSubstr("--insecure: whoever reaches this network can read"));
  const Outcome secured = by_name("left")->wait(seconds(30));
  expect_refused(secured, 5, {"was it started with --insecure?"});
  const auto plain_worker = [&](const std::string& name) {
    return worker({"--coordinator", address_, "--name", name, "--insecure"});
  };
  tokens_with(plain_worker("left"), plain_worker("right"));
}

TEST_F(NetworkRun, WithoutKeysListensWhereItIsWrittenOutOnly) {
  for (const char* address : {"tcp://*:5555", "tcp://0.0.0.0:*"}) {
    expect_refused(run_program(run_command({"--listen", address, "--insecure"})), 2,
                   {"--listen", "has to be written out"});
    expect_refused(lingua({"worker", "--coordinator", "tcp://127.0.0.1:1", "--name", "a",
                           "--listen", address, "--insecure"}),
                   2, {"--listen", "has to be written out"});
  }
}

TEST_F(NetworkRun, RefusesLinesAndKeysThatAreNone) {
  start(keys("here"));
  const std::string line = lines_["left"];
  for (const std::string& cut :
       {line.substr(0, line.size() / 2), line + "x", std::string("left")}) {
    expect_refused(lingua(std::vector<std::string>{"worker", "--join", cut} + keys("left")), 3,
                   {"the join line", "lingua://HOST:PORT/NAME/"});
  }
  expect_refused(lingua({"worker", "--join", line, "--name", "left"}), 2, {"--join", "--name"});
  expect_refused(lingua({"worker", "--name", "left"}), 2, {"--join LINE", "--coordinator"});
  ASSERT_EQ(
      lingua(std::vector<std::string>{"keys"} + keys("left") + std::vector<std::string>{"new"})
          .exit_code,
      0);
  const std::string key = folder_.file("keys-left/key");
  chmod(key.c_str(), 0644);
  expect_refused(lingua(std::vector<std::string>{"worker", "--join", line} + keys("left")), 3,
                 {key, "others can read this key", "chmod 600"});
  chmod(key.c_str(), 0600);
  std::ofstream(key) << "lingua secret key 1\nAAAA\n";
  expect_refused(run_program(run_command(keys("left"))), 3, {key, "cut or damaged"});
}

TEST_F(NetworkRun, ShowsWhoIsKnown) {
  const std::vector<std::string> show = std::vector<std::string>{"keys", "--json"} + keys("here");
  EXPECT_TRUE(lingua(show).json()["public_key"].is_null());
  join_once();
  const nlohmann::json here = lingua(show).json();
  const nlohmann::json left =
      lingua(std::vector<std::string>{"keys", "--json"} + keys("left")).json();
  ASSERT_EQ(here["devices"].size(), 2U);
  EXPECT_EQ(here["devices"][0]["name"], "left");
  EXPECT_EQ(here["devices"][0]["public_key"], left["public_key"]);
  EXPECT_EQ(left["coordinators"][0]["address"], address_);
  EXPECT_EQ(left["coordinators"][0]["public_key"], here["public_key"]);
  const Outcome table = lingua(std::vector<std::string>{"keys"} + keys("here"));
  EXPECT_THAT(table.out, HasSubstr(here["devices"][1]["fingerprint"].get<std::string>()));
  std::ifstream key_file(folder_.file("keys-here/key"));
  std::string secret;
  for (std::string line; std::getline(key_file, line);) secret = line;
  ASSERT_EQ(secret.size(), 43U);
  EXPECT_THAT(table.out, Not(HasSubstr(secret)));
  expect_refused(lingua(std::vector<std::string>{"keys"} + keys("here") +
                        std::vector<std::string>{"revoke", "nobody"}),
                 2, {"no device 'nobody'", "left, right"});
  expect_refused(
      lingua(std::vector<std::string>{"keys"} + keys("here") + std::vector<std::string>{"new"}), 2,
      {"is there already", "--replace"});
}

}  // namespace
}  // namespace lingua::testing
