#include "runtime/http/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/base/errors.h"
#include "runtime/http/counters.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;
using Json = nlohmann::json;

ApiRequest completion(const std::string& body, const Sampling& usual = {}) {
  return parse_api_request(body, false, usual);
}
ApiRequest chat(const std::string& body) { return parse_api_request(body, true, {}); }

std::string why_refused(const std::string& body, bool is_chat) {
  try {
    parse_api_request(body, is_chat, {});
  } catch (const ApiError& error) {
    EXPECT_EQ(error.status, 400);
    return error.what();
  }
  return "accepted";
}

TEST(Api, ReadsACompletionAsTheClientOfOpenAIWritesIt) {
  const ApiRequest request = completion(
      R"({"model":"m","prompt":"Hi","max_tokens":7,"temperature":0.5,"top_p":0.9,"seed":-3,
          "stop":["\n","END"],"stream":true,"stream_options":{"include_usage":true},"user":"u",
          "n":1,"logprobs":null,"logit_bias":{},"presence_penalty":0.0})");
  EXPECT_EQ(request.model, "m");
  EXPECT_THAT(request.prompts, ElementsAre("Hi"));
  EXPECT_EQ(request.max_tokens, 7);
  EXPECT_EQ(request.sampling.temperature, 0.5);
  EXPECT_EQ(request.sampling.top_p, 0.9);
  EXPECT_EQ(request.sampling.seed, static_cast<std::uint64_t>(-3));
  EXPECT_THAT(request.stop, ElementsAre("\n", "END"));
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.stream_usage);
}

TEST(Api, WhatABodyDoesNotSayIsAsTheServiceWasStarted) {
  Sampling usual;
  usual.temperature = 0.7;
  usual.seed = 5;
  const ApiRequest request = completion(R"({"prompt":[1,2,3],"temperature":null})", usual);
  EXPECT_EQ(request.sampling, usual);
  EXPECT_FALSE(request.max_tokens.has_value());
  EXPECT_THAT(request.token_prompts, ElementsAre(ElementsAre(1, 2, 3)));
}

TEST(Api, TakesListsOfPromptsOfEitherKind) {
  EXPECT_THAT(completion(R"({"prompt":["a","b"]})").prompts, ElementsAre("a", "b"));
  EXPECT_THAT(completion(R"({"prompt":[[1],[2,3]]})").token_prompts,
              ElementsAre(ElementsAre(1), ElementsAre(2, 3)));
}

TEST(Api, ReadsMessagesWhoseContentIsTextOrParts) {
  const ApiRequest request = chat(
      R"({"messages":[{"role":"developer","content":"Be kind."},
          {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}],
          "max_tokens":3,"max_completion_tokens":9})");
  ASSERT_EQ(request.messages.size(), 2U);
  EXPECT_EQ(request.messages[0].role, "system");
  EXPECT_EQ(request.messages[1].text, "ab");
  EXPECT_EQ(request.max_tokens, 9);
}

TEST(Api, RefusesWhatIsNoRequestByName) {
  for (const auto& [body, words] : std::vector<std::pair<std::string, std::string>>{
           {"nonsense", "not JSON"},
           {"\"\xff\"", "not JSON"},
           {"[]", "a JSON object"},
           {"{}", "'prompt' is missing"},
           {R"({"prompt":{}})", "'prompt' must be text, token ids"},
           {R"({"prompt":[]})", "'prompt' must be"},
           {R"({"prompt":["a",[1]]})", "'prompt' must be"},
           {R"({"prompt":[1,-1]})", "'prompt' must be"},
           {R"({"prompt":[1,1e99]})", "'prompt' must be"},
           {R"({"prompt":"x","model":7})", "'model' must be text"},
           {R"({"prompt":"x","max_tokens":0})", "'max_tokens' must be an integer from 1"},
           {R"({"prompt":"x","max_tokens":1.5})", "'max_tokens' must be an integer"},
           {R"({"prompt":"x","max_tokens":18446744073709551615})", "'max_tokens' must be"},
           {R"({"prompt":"x","temperature":-1})", "'temperature' must be a number from 0 to 2"},
           {R"({"prompt":"x","temperature":"hot"})", "'temperature' must be"},
           {R"({"prompt":"x","top_p":0})", "'top_p' must be more than 0"},
           {R"({"prompt":"x","stop":""})", "'stop' must be"},
           {R"({"prompt":"x","stop":[1]})", "'stop' must be"},
           {R"({"prompt":"x","stream":"yes"})", "'stream' must be true or false"},
           {R"({"prompt":"x","stream_options":1})", "'stream_options' must be an object"},
           {R"({"prompt":"x","n":2})", "'n' other than 1 is not supported"},
           {R"({"prompt":"x","logprobs":3})", "'logprobs' are not supported"},
           {R"({"prompt":"x","echo":true})", "'echo' other than false"}}) {
    SCOPED_TRACE(body);
    EXPECT_THAT(why_refused(body, false), HasSubstr(words));
  }
  for (const auto& [body, words] : std::vector<std::pair<std::string, std::string>>{
           {"{}", "'messages' is missing"},
           {R"({"messages":[]})", "'messages' must be"},
           {R"({"messages":["Hi"]})", "'messages[0]' must be an object"},
           {R"({"messages":[{"content":"Hi"}]})", "'messages[0].role' must be"},
           {R"({"messages":[{"role":"tool","content":"Hi"}]})", "'messages[0].role' must be"},
           {R"({"messages":[{"role":"user"}]})", "'messages[0].content' must be text"},
           {R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})", "parts of type"},
           {R"({"messages":[{"role":"user","content":"Hi"}],"tools":[{}]})",
            "'tools' other than"}}) {
    SCOPED_TRACE(body);
    EXPECT_THAT(why_refused(body, true), HasSubstr(words));
  }
}

TEST(Api, ABodyOfAMillionBracketsIsRefused) {
  EXPECT_THROW(completion(std::string(1'000'000, '[')), ApiError);
  EXPECT_THROW(
      completion(R"({"prompt":)" + std::string(500'000, '[') + std::string(500'000, ']') + "}"),
      ApiError);
}

TEST(Api, ItsOwnClientReadsWhatItWrites) {
  for (const bool is_chat : {false, true}) {
    const ApiAnswer answer{is_chat, "id-1", "m", 17};
    const auto whole =
        read_pieces(whole_answer(answer, {{"a", "stop"}, {"b", "length"}}, {3, 4}).dump(), "here");
    ASSERT_EQ(whole.size(), 2U);
    EXPECT_EQ(whole[1].text, "b");
    EXPECT_EQ(whole[1].finish, "length");
    EXPECT_EQ(whole[1].choice, 1U);
    const auto piece = read_pieces(next_chunk(answer, 1, {"x", ""}).dump(), "here");
    ASSERT_EQ(piece.size(), 1U);
    EXPECT_EQ(piece[0].text, "x");
    EXPECT_THAT(piece[0].finish, IsEmpty());
    EXPECT_THAT(read_pieces(usage_chunk(answer, {3, 4}).dump(), "here"), IsEmpty());
  }
  EXPECT_EQ(read_error(error_json(ApiError(400, "no room")).dump()), "no room");
  EXPECT_EQ(read_error("<html>"), "<html>");
  EXPECT_THAT([] { read_pieces(R"({"error":{"message":"gone"}})", "here"); },
              ThrowsMessage<WorldError>(AllOf(HasSubstr("here"), HasSubstr("gone"))));
  for (const char* nonsense : {"", "[]", "{}", R"({"choices":[3]})", R"({"choices":[{"text":3}]})"})
    EXPECT_THROW(read_pieces(nonsense, "here"), InputError) << nonsense;
}

TEST(Api, WholeAnswersHaveTheFieldsThatClientsRead) {
  const Json json = whole_answer({true, "chatcmpl-1", "m", 17}, {{"Hi", "stop"}}, {3, 4});
  EXPECT_EQ(json["object"], "chat.completion");
  EXPECT_EQ(json["choices"][0]["message"], (Json{{"role", "assistant"}, {"content", "Hi"}}));
  EXPECT_EQ(json["usage"]["total_tokens"], 7);
  EXPECT_EQ(error_json(ApiError(404, "x", "model", "model_not_found"))["error"]["code"],
            "model_not_found");
}

TEST(Counters, AreCumulativeHistogramsAndSums) {
  Counters counters;
  counters.began();
  counters.began();
  counters.first_token(Seconds(0.03));
  counters.first_token(Seconds(100));
  counters.ended("answered", 10, 5);
  const std::string text = counters.text(true, 3);
  for (const char* line :
       {"lingua_ready 1\n", "lingua_connections 3\n", "lingua_requests_active 1\n",
        "lingua_requests_total{end=\"answered\"} 1\n", "lingua_completion_tokens_total 5\n",
        "lingua_time_to_first_token_seconds_bucket{le=\"0.025\"} 0\n",
        "lingua_time_to_first_token_seconds_bucket{le=\"0.05\"} 1\n",
        "lingua_time_to_first_token_seconds_bucket{le=\"+Inf\"} 2\n",
        "lingua_time_to_first_token_seconds_count 2\n"})
    EXPECT_THAT(text, HasSubstr(line));
}

}  // namespace
}  // namespace lingua
