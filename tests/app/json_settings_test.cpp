#include "runtime/app/json_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/app/balancing.h"
#include "runtime/app/course.h"
#include "runtime/app/study.h"
#include "runtime/base/errors.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

struct Request {
  StudyOptions study;
  CourseOptions course;
  BalanceOptions balance;

  VisitSettings visit() {
    return [this](SettingVisitor& visitor) {
      visit_study(study, visitor, true);
      visit_course(course, visitor);
      visit_balance(balance, visitor);
    };
  }
};

const json kLeast = {{"model", "bloom-560m"}, {"cluster", "three.yaml"}};

Request request_of(json settings) {
  Request request;
  settings.update(kLeast);
  set_from_json(settings, request.visit());
  return request;
}

std::string refusal(json settings) {
  try {
    request_of(std::move(settings));
    return "";
  } catch (const UsageError& error) {
    return error.what();
  }
}

TEST(JsonSettings, SetWhatTheyNameAndLeaveTheRest) {
  const Request request = request_of({{"max-tokens", 20},
                                      {"planner", "dp"},
                                      {"no_kv_cache", true},
                                      {"trace-rate", 2},
                                      {"trace", "poisson:3"},
                                      {"seed", 18446744073709551615U},
                                      {"head", nullptr}});
  EXPECT_EQ(request.study.model.model, "bloom-560m");
  EXPECT_EQ(request.study.workload.max_tokens, 20);
  EXPECT_EQ(request.study.plan.planner, "dp");
  EXPECT_TRUE(request.study.model.no_kv_cache);
  EXPECT_EQ(request.study.workload.trace_rate, 2);
  EXPECT_EQ(request.study.workload.seed, 18446744073709551615U);
  EXPECT_EQ(request.study.model.head, "");
  EXPECT_EQ(request.study.workload.prompt_length, WorkloadOptions().prompt_length);
}

TEST(JsonSettings, WhatIsReadFromTextIsAStringOrANumber) {
  EXPECT_EQ(request_of({{"max-batch", 4}}).study.workload.scheduling.max_batch, 4);
  EXPECT_EQ(request_of({{"max-batch", "auto"}}).study.workload.scheduling.max_batch, kAutoBatch);
  EXPECT_EQ(request_of({{"move-bandwidth", "4 Mbit/s"}}).balance.move_bytes_per_s, 0.5e6);
  EXPECT_THAT(refusal({{"max-batch", 0}}), AllOf(HasSubstr("max-batch"), HasSubstr("1 to 1024")));
  EXPECT_THAT(refusal({{"policy", "lifo"}}), AllOf(HasSubstr("policy"), HasSubstr("decode-first")));
  EXPECT_THAT(refusal({{"wire", true}}), AllOf(HasSubstr("wire"), HasSubstr("string or a number")));
}

TEST(JsonSettings, WhatMayBeRepeatedIsAListOrOne) {
  EXPECT_THAT(request_of({{"prompt", {"Hello", "Goodbye"}}}).study.text.prompts,
              ElementsAre("Hello", "Goodbye"));
  EXPECT_THAT(request_of({{"lose", "anna:2s"}}).course.losses, ElementsAre("anna:2s"));
  EXPECT_THAT(refusal({{"exclude", {"anna", 3}}}),
              AllOf(HasSubstr("exclude"), HasSubstr("list of strings")));
}

TEST(JsonSettings, AnUnknownNameIsRefusedWithThoseThatAreNear) {
  EXPECT_THAT(refusal({{"max-token", 3}}),
              AllOf(HasSubstr("'max-token' is no setting"), HasSubstr("max-tokens"),
                    Not(HasSubstr("cluster"))));
  EXPECT_THAT(refusal({{"quite-something-else", 3}}),
              AllOf(HasSubstr("max-tokens"), HasSubstr("cluster"), HasSubstr("move-bandwidth")));
}

TEST(JsonSettings, AWrongTypeIsRefusedWithTheRightOne) {
  EXPECT_THAT(
      refusal({{"max-tokens", "20"}}),
      AllOf(HasSubstr("max-tokens: \"20\""), HasSubstr("a whole number from 1 to 1048576")));
  EXPECT_THAT(refusal({{"max-tokens", 1.5}}), HasSubstr("a whole number"));
  EXPECT_THAT(refusal({{"report-every", "1"}}), HasSubstr("a number from 0.001 to 3600"));
  EXPECT_THAT(refusal({{"ignore-eos", 1}}), HasSubstr("true or false"));
  EXPECT_THAT(refusal({{"planner", 1}}), HasSubstr("planner: 1 is not accepted; write a string"));
  Request request;
  EXPECT_THROW(set_from_json(json::array(), request.visit()), UsageError);
}

TEST(JsonSettings, AValueOutOfRangeIsRefused) {
  EXPECT_THAT(refusal({{"max-segments", 0}}), HasSubstr("from 1 to 100000"));
  EXPECT_THAT(refusal({{"max-segments", 100001}}), HasSubstr("from 1 to 100000"));
  EXPECT_THAT(refusal({{"header-keeps", 1LL << 40}}), HasSubstr("header-keeps"));
  EXPECT_THAT(refusal({{"seed", -1}}), HasSubstr("from 0 up"));
  EXPECT_THAT(refusal({{"plan-time-limit", 0}}),
              AllOf(HasSubstr("plan-time-limit"), HasSubstr("more than 0")));
  EXPECT_THAT(refusal({{"overlap", "some"}}), HasSubstr("one of none, gain, bytes"));
  EXPECT_THAT(refusal({{"slo", "soon"}}), HasSubstr("slo: "));
}

TEST(JsonSettings, WhatExcludesOrNeedsEachOtherIsRefused) {
  EXPECT_THAT(refusal({{"prompt", {"Hello"}}, {"prompt-length", 3}}),
              AllOf(HasSubstr("prompt"), HasSubstr("prompt-length"), HasSubstr("exclude")));
  EXPECT_THAT(refusal({{"robust", "1%"}, {"spread", "1%"}}), HasSubstr("exclude"));
  EXPECT_THAT(refusal({{"trace-rate", 2}}), HasSubstr("needs trace"));
  EXPECT_EQ(refusal({{"prompt", json::array()}, {"prompt-length", 3}}), "");
  EXPECT_THAT(refusal({{"max-tokens", 3}, {"max_tokens", 4}}), HasSubstr("twice"));
}

TEST(JsonSettings, WhatIsRequiredMustBeThere) {
  Request request;
  EXPECT_THAT(
      [&] {
        set_from_json({{"model", "x"}}, request.visit());
      },
      ::testing::ThrowsMessage<UsageError>(HasSubstr("cluster is required")));
}

TEST(JsonSettings, AreListedWithTypesAndDefaults) {
  Request request;
  std::map<std::string, json> named;
  for (const json& one : settings_json(request.visit())) named[one["name"]] = one;
  EXPECT_EQ(named.at("max-tokens")["type"], "integer");
  EXPECT_EQ(named.at("max-tokens")["default"], 16);
  EXPECT_EQ(named.at("max-tokens")["most"], 1 << 20);
  EXPECT_EQ(named.at("requests")["default"], nullptr) << "what it stands for is in the help";
  EXPECT_EQ(named.at("policy")["default"], "fifo");
  EXPECT_EQ(named.at("prompt")["type"], "list");
  EXPECT_EQ(named.at("ignore-eos")["type"], "boolean");
  EXPECT_EQ(named.at("trace-rate")["only_with"], "trace");
  EXPECT_THAT(named.at("overlap")["choices"], ElementsAre("none", "gain", "bytes"));
  EXPECT_EQ(named.at("model")["required"], true);
  for (const auto& [name, one] : named) EXPECT_NE(one["help"], "") << name;
}

}  // namespace
}  // namespace lingua
