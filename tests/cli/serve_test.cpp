// A model over HTTP, as clients of OpenAI's API see it, over local workers.

#include <httplib.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "tests/cli/lingua_fixture.h"
#include "tests/cli/text_fixture.h"

namespace lingua::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Json = nlohmann::json;

class Serve : public TextTest {
 protected:
  void serve(const std::vector<std::string>& more = {}) {
    program_ = std::make_unique<Program>(lingua_command(
        std::vector<std::string>{"serve", model_.folder, "--local", "--workers", "2", "--planner",
                                 "even", "--rule", "lingualinked", "--http", "127.0.0.1:*",
                                 "--context", context_, "--max-tokens", "8"} +
        more));
    ASSERT_TRUE(until([&] { return said().find("serving at") != std::string::npos; })) << said();
    const std::string text = said();
    const auto at = text.rfind("127.0.0.1:");
    port_ = std::stoi(text.substr(at + 10));
  }
  std::string said() const { return program_->err(); }
  bool until(const std::function<bool()>& condition) const {
    for (int i = 0; i < 6000 && program_->running() && !condition(); ++i)
      std::this_thread::sleep_for(milliseconds(10));
    return condition();
  }
  httplib::Client client() const {
    httplib::Client client("127.0.0.1", port_);
    client.set_read_timeout(60);
    return client;
  }
  // Status and body.
  std::pair<int, Json> post(const std::string& path, const std::string& body) const {
    const auto result = client().Post(path, body, "application/json");
    if (!result) return {0, {}};
    return {result->status, Json::parse(result->body, nullptr, false)};
  }
  Json complete(const Json& request) const {
    auto [status, json] = post("/v1/completions", request.dump());
    EXPECT_EQ(status, 200) << json;
    return json;
  }
  double metric(const std::string& name) const {
    const auto result = client().Get("/metrics");
    const auto at = result ? result->body.find("\n" + name + " ") : std::string::npos;
    return at == std::string::npos ? -1 : std::stod(result->body.substr(at + name.size() + 2));
  }
  void expect_ends(int signal) {
    ::kill(program_->pid(), signal);
    const Outcome outcome = program_->wait(seconds(20));
    EXPECT_EQ(outcome.exit_code, 128 + signal) << outcome.err;
  }

  const TextModel model_ = text_model("generation/tinyllama");
  std::string context_ = "64";
  std::unique_ptr<Program> program_;
  int port_ = 0;
};

const Json kPrompt = {{"prompt", "Hello there"}, {"max_tokens", 6}};

TEST_F(Serve, SaysWhatRunSaysWholeAndInAStream) {
  serve();
  const Outcome run =
      lingua({"run", model_.folder, "--local", "--workers", "2", "--planner", "even", "--rule",
              "lingualinked", "--prompt", "Hello there", "--max-tokens", "6", "--json"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const Json whole = complete(kPrompt);
  EXPECT_EQ(whole["choices"][0]["text"], run.json()["requests"][0]["text"]);
  EXPECT_EQ(whole["usage"]["completion_tokens"], run.json()["requests"][0]["tokens"].size());
  Json streaming = kPrompt;
  streaming["stream"] = true;
  const auto stream = client().Post("/v1/completions", streaming.dump(), "application/json");
  ASSERT_TRUE(stream);
  std::string text;
  std::istringstream lines(stream->body);
  bool done = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    ASSERT_TRUE(line.starts_with("data: ")) << line;
    done = line == "data: [DONE]";
    if (!done) text += Json::parse(line.substr(6))["choices"][0]["text"];
  }
  EXPECT_TRUE(done);
  EXPECT_EQ(text, whole["choices"][0]["text"]);
  EXPECT_EQ(client().Get("/health")->status, 200);
  const Json models = Json::parse(client().Get("/v1/models")->body);
  EXPECT_EQ(models["data"].size(), 1U);
  EXPECT_EQ(models["data"][0]["id"], whole["model"]);
  expect_ends(SIGTERM);
}

TEST_F(Serve, ShowsItsDevicesWhileAGenerationGoesOn) {
  context_ = "400";
  serve({"--balance", "optimal", "--report-every", "0.05"});
  std::atomic<bool> seen{false};
  std::thread asking([&] {
    while (!seen) complete({{"prompt", "Hello there"}, {"max_tokens", 300}});
  });
  // In one answer: while it goes on.
  const auto parts = AllOf(HasSubstr("\nlingua_requests_active 1\n"),
                           HasSubstr("\nlingua_device_token_speed{device=\"worker-1\"} "),
                           HasSubstr("\nlingua_device_token_speed{device=\"worker-2\"} "));
  EXPECT_TRUE(until([&] {
    const auto result = client().Get("/metrics");
    return result && ::testing::Value(result->body, parts);
  }));
  seen = true;
  EXPECT_GE(metric("lingua_epoch"), 1);
  EXPECT_EQ(metric("lingua_device_present{device=\"worker-2\"}"), 1);
  EXPECT_GE(metric("lingua_device_queued_steps{device=\"worker-2\"}"), 0);
  for (const char* count :
       {"lingua_moves_total", "lingua_failed_moves_total", "lingua_recoveries_total"})
    EXPECT_GE(metric(count), 0) << count;
  asking.join();
  expect_ends(SIGTERM);
}

TEST_F(Serve, WritesTheMessagesOfItsClientsAndWorkersWhenItEnds) {
  const std::string file = folder_.file("messages.csv");
  serve({"--trace-messages", file});
  complete(kPrompt);
  EXPECT_FALSE(std::filesystem::exists(file)) << "whole or not there";
  expect_ends(SIGINT);
  const std::string messages = read_file(file);
  for (const char* part :
       {"time,what,from,to,kind,", ",sent,client:", ",received,coordinator,client:",
        ",received,worker-1,worker-2,Activations,1,0,0,", ",coordinator,worker-2,Stop,"})
    EXPECT_THAT(messages, HasSubstr(part));
}

TEST_F(Serve, HasRunAndChatForClients) {
  serve({"--chat-template", "plain"});
  const std::string url = "http://127.0.0.1:" + std::to_string(port_);
  const Json expected = complete(kPrompt);
  const Arguments ask = {"run", "--connect", url, "--max-tokens", "6"};
  const Outcome text = lingua(ask + Arguments{"--prompt", "Hello there"});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_EQ(text.out, std::string(expected["choices"][0]["text"]) + "\n");
  const Json two =
      json_of(ask + Arguments{"--prompt", "Hello there", "--prompt", "Other", "--json"});
  EXPECT_EQ(two["requests"].size(), 2U);
  EXPECT_EQ(two["requests"][0]["text"], expected["choices"][0]["text"]);
  const Outcome chat = run_program({"sh", "-c",
                                    "printf 'Hello there\\nAnd you?\\n' | '" LINGUA_PROGRAM
                                    "' chat --max-tokens 4 --json --connect " +
                                        url + "/v1"});
  ASSERT_EQ(chat.exit_code, 0) << chat.err;
  EXPECT_EQ(chat.json()["turns"].size(), 2U);
  expect_refused(lingua(ask + Arguments{"--prompt-tokens", "5000000"}), 5, {url, "token id"});
  expect_refused(lingua(ask + Arguments{"--prompt", "x", "--workers", "3"}), 2,
                 {"--workers means nothing with --connect"});
  expect_refused(lingua(ask), 2, {"--prompt"});
  expect_ends(SIGTERM);
  expect_refused(lingua(ask + Arguments{"--prompt", "x"}), 5, {url, "nobody listens there"});
  for (const char* nonsense : {"127.0.0.1:80", "https://a", "http://", "http://a:b", "http://a/b"})
    expect_refused(lingua({"run", "--connect", nonsense, "--prompt", "x"}), 2,
                   {"--connect", "http://HOST:PORT"});
  expect_refused(lingua({"run", "--local"}), 2, {"--model is required"});
}

TEST_F(Serve, TellsWhoAskedWhatIsWrongAndGoesOn) {
  serve();
  for (const auto& [body, status, words] : std::vector<std::tuple<std::string, int, std::string>>{
           {"nonsense", 400, "not JSON"},
           {R"({"prompt":""})", 400, "the prompt is empty"},
           {R"({"prompt":[]})", 400, "'prompt' must be"},
           {R"({"prompt":[4000000]})", 400, "token id 4000000; the model has"},
           {R"({"prompt":"x","model":"gpt-4"})", 404, "'gpt-4' is not served here"},
           {R"({"prompt":[1,2],"max_tokens":63})", 400, "this service keeps 64 in all"},
           {std::string(5 << 20, ' '), 413, "at most"}}) {
    const auto [got, json] = post("/v1/completions", body);
    EXPECT_EQ(got, status) << json;
    EXPECT_THAT(json.dump(), HasSubstr(words));
  }
  EXPECT_EQ(post("/v1/nothing", "{}").first, 404);
  EXPECT_EQ(complete(kPrompt)["choices"].size(), 1U);
  expect_ends(SIGINT);
}

TEST_F(Serve, CancelsTheRequestOfAClientThatHangsUp) {
  context_ = "2000";
  serve();
  std::thread other([&] { complete(kPrompt); });
  const Json request = {{"prompt", {5, 6, 7}}, {"max_tokens", 1900}, {"stream", true}, {"seed", 3}};
  int pieces = 0;
  httplib::Request stream;
  stream.method = "POST";
  stream.path = "/v1/completions";
  stream.headers = {{"Content-Type", "application/json"}};
  stream.body = request.dump();
  stream.content_receiver = [&](const char*, std::size_t, std::uint64_t, std::uint64_t) {
    return ++pieces < 3;
  };
  client().send(stream);
  other.join();
  EXPECT_TRUE(until([&] { return metric("lingua_requests_total{end=\"cancelled\"}") == 1; }));
  EXPECT_TRUE(until([&] { return metric("lingua_requests_active") == 0; }));
  complete(kPrompt);
  expect_ends(SIGTERM);
}

TEST_F(Serve, HundredsOfIdleConnectionsKeepNobodyFromBeingAnswered) {
  serve();
  const Json expected = complete(kPrompt)["choices"];
  std::vector<int> idle;
  for (int i = 0; i < 900; ++i) {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    ASSERT_GE(socket, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    idle.push_back(socket);
  }
  EXPECT_EQ(complete(kPrompt)["choices"], expected);
  for (const int socket : idle) ::close(socket);
  expect_ends(SIGTERM);
}

TEST_F(Serve, GoesOnWithoutAWorkerThatIsLost) {
  serve();
  const Json expected = complete(kPrompt)["choices"];
  const std::vector<pid_t> workers = children_of(program_->pid());
  ASSERT_EQ(workers.size(), 2U);
  ::kill(workers[0], SIGKILL);
  EXPECT_EQ(complete(kPrompt)["choices"], expected);
  EXPECT_EQ(client().Get("/health")->status, 200);
  EXPECT_THAT(said(), HasSubstr("was lost while it held"));
  EXPECT_THAT(said(), Not(HasSubstr("waiting for all workers again")));
  expect_ends(SIGTERM);
}

TEST_F(Serve, BeginsAnewWhenAWorkerIsLostWhereThatIsAskedFor) {
  serve({"--on-loss", "end"});
  const Json expected = complete(kPrompt)["choices"];
  const std::vector<pid_t> workers = children_of(program_->pid());
  ASSERT_EQ(workers.size(), 2U);
  ::kill(workers[0], SIGKILL);
  ASSERT_TRUE(
      until([&] { return said().find("waiting for all workers again") != std::string::npos; }));
  ASSERT_TRUE(until([&] {
    const auto health = client().Get("/health");
    return health && health->status == 200;
  })) << said();
  EXPECT_EQ(complete(kPrompt)["choices"], expected);
  expect_ends(SIGTERM);
}

TEST_F(Serve, AsksForItsKeyAndListensToOthersWithOneOnly) {
  write("key", "a-key-of-mine\n");
  serve({"--api-key-file", folder_.file("key")});
  EXPECT_EQ(post("/v1/completions", kPrompt.dump()).first, 401);
  auto with_key = client();
  with_key.set_bearer_token_auth("a-key-of-mine");
  EXPECT_EQ(with_key.Post("/v1/completions", kPrompt.dump(), "application/json")->status, 200);
  with_key.set_bearer_token_auth("a-key-of-mine2");
  EXPECT_EQ(with_key.Get("/v1/models")->status, 401);
  EXPECT_EQ(client().Get("/health")->status, 200);
  expect_ends(SIGTERM);
  for (const char* address : {"*:8080", "0.0.0.0:8080", "192.0.2.1:80"})
    expect_refused(lingua({"serve", model_.folder, "--local", "--http", address}), 2,
                   {"--http", "--api-key-file"});
  for (const char* nonsense : {"", "here", ":80", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:8o"})
    expect_refused(lingua({"serve", model_.folder, "--local", "--http", nonsense}), 2,
                   {"--http", "HOST:PORT"});
  write("key", "short\n");
  expect_refused(lingua({"serve", model_.folder, "--local", "--api-key-file", folder_.file("key")}),
                 3, {"at least 8 characters"});
}

}  // namespace
}  // namespace lingua::testing
