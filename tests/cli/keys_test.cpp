// Runs over a network as their users start them: keys, join lines, what is remembered, and who is refused.

#include <sys/stat.h>

#include <functional>
#include <map>
#include <memory>
#include <regex>
#include <thread>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000 && !condition(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return condition();
}

class NetworkRun : public LinguaTest {
 protected:
  NetworkRun() {
    write("pair.yaml",
          "name: pair\ndevices:\n"
          "  - {name: left, compute: 10 GFLOP/s, memory_bandwidth: 5 GB/s, memory: 1 GB}\n"
          "  - {name: right, compute: 10 GFLOP/s, memory_bandwidth: 5 GB/s, memory: 1 GB}\n"
          "links: {default: {bandwidth: 10 MB/s, latency: 1 ms}}\n");
  }

  // Each has its keys in a folder of its own name.
  std::vector<std::string> keys(const std::string& who) const {
    return {"--keys", folder_.file("keys-" + who)};
  }
  std::vector<std::string> run_command(const std::vector<std::string>& more) const {
    return lingua_command(std::vector<std::string>{"run", "--cluster", folder_.file("pair.yaml"),
                                                   "--planner", "even", "--model", tiny_model(),
                                                   "--max-tokens", "4", "--json"} +
                          more);
  }
  // Starts a coordinator and waits until it listens.
  void start(const std::vector<std::string>& more) {
    run_ = std::make_unique<Program>(
        run_command(std::vector<std::string>{"--listen", address_} + more));
    ASSERT_TRUE(eventually(
        [&] { return !run_->running() || run_->err().find("waiting for") != std::string::npos; }));
    const std::string said = run_->err();
    std::smatch found;
    ASSERT_TRUE(std::regex_search(said, found, std::regex("at (tcp://[0-9.:]+)"))) << said;
    address_ = found[1];
    static const std::regex kLine("(\\w+), new, .*--join (\\S+)");
    lines_.clear();
    ASSERT_TRUE(eventually([&] {
      return run_->err().find(" right,") != std::string::npos ||
             run_->err().find("--insecure") != std::string::npos;
    }));
    const std::string all = run_->err();
    for (std::sregex_iterator it(all.begin(), all.end(), kLine), end; it != end; ++it) {
      lines_[(*it)[1]] = (*it)[2];
    }
  }
  std::unique_ptr<Program> worker(const std::vector<std::string>& arguments) const {
    return std::make_unique<Program>(
        lingua_command(std::vector<std::string>{"worker"} + arguments));
  }
  std::unique_ptr<Program> by_line(const std::string& who) {
    return worker(std::vector<std::string>{"--join", lines_[who]} + keys(who));
  }
  std::unique_ptr<Program> by_name(const std::string& who) const {
    return worker(std::vector<std::string>{"--coordinator", address_, "--name", who} + keys(who));
  }
  // The tokens of a run that both workers join.
  nlohmann::json tokens_with(std::unique_ptr<Program> left, std::unique_ptr<Program> right) {
    const Outcome outcome = run_->wait();
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(left->wait(seconds(10)).exit_code, 0) << left->err();
    EXPECT_EQ(right->wait(seconds(10)).exit_code, 0) << right->err();
    return outcome.json()["requests"][0]["tokens"];
  }
  void join_once() {
    start(keys("here"));
    ASSERT_EQ(lines_.size(), 2U) << run_->err();
    tokens_ = tokens_with(by_line("left"), by_line("right"));
    EXPECT_EQ(tokens_.size(), 4U);
  }

  std::string address_ = "tcp://127.0.0.1:*";
  std::map<std::string, std::string> lines_;  // by device
  std::unique_ptr<Program> run_;
  nlohmann::json tokens_;
};

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
