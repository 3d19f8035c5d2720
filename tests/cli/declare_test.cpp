#include "runtime/cli/declare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Request {
  std::string model;
  std::int64_t tokens = 16;
  double rate = 1;
  std::vector<std::string> prompts;
  bool fast = false;
  std::string policy = "fifo";

  void visit(SettingVisitor& visitor) {
    visitor.take(Setting("model", &model, "what").as_word(WordUse::kToo).required());
    visitor.take(Setting("tokens", &tokens, "how many").in(1, 100));
    visitor.take(Setting("prompt", &prompts, "texts").not_with({"tokens"}));
    visitor.take(Setting("rate", &rate, "how fast").only_with("prompt"));
    visitor.take({"fast", &fast, "or slow"});
    visitor.take(Setting(
                     "policy", [this](const std::string& text) { policy = text; }, "which")
                     .by_default("fifo")
                     .called("NAME"));
  }
};

class OptionDeclarerTest : public ::testing::Test {
 protected:
  OptionDeclarerTest() {
    OptionDeclarer declarer(app_);
    request_.visit(declarer);
  }
  // What is wrong with the arguments; empty when nothing is.
  std::string parse(std::vector<std::string> arguments) {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    try {
      app_.parse(arguments);
      return "";
    } catch (const CLI::ParseError& error) {
      return error.what();
    }
  }
  Request request_;
  CLI::App app_;
};

TEST_F(OptionDeclarerTest, OptionsSetTheRequest) {
  EXPECT_EQ(parse({"here", "--prompt", "a b", "--prompt", "c", "--rate", "2.5", "--fast",
                   "--policy", "lifo"}),
            "");
  EXPECT_EQ(request_.model, "here");
  EXPECT_THAT(request_.prompts, ElementsAre("a b", "c"));
  EXPECT_EQ(request_.rate, 2.5);
  EXPECT_TRUE(request_.fast);
  EXPECT_EQ(request_.policy, "lifo");
  EXPECT_EQ(request_.tokens, 16);
}

TEST_F(OptionDeclarerTest, RangesAndRelationsAreChecked) {
  EXPECT_THAT(parse({}), HasSubstr("--model is required"));
  EXPECT_THAT(parse({"here", "--tokens", "101"}),
              AllOf(HasSubstr("--tokens"), HasSubstr("not in range 1 to 100")));
  EXPECT_THAT(parse({"here", "--tokens", "3", "--prompt", "a"}), HasSubstr("excludes"));
  EXPECT_THAT(parse({"here", "--rate", "3"}), HasSubstr("requires --prompt"));
}

TEST_F(OptionDeclarerTest, HelpTellsTypesAndDefaults) {
  const std::string help = app_.help();
  EXPECT_THAT(help, AllOf(HasSubstr("--tokens INT:INT in [1 - 100]=16"), HasSubstr("how many")));
  EXPECT_THAT(help, HasSubstr("--policy NAME=fifo"));
  EXPECT_THAT(help, HasSubstr("REQUIRED"));
}

}  // namespace
}  // namespace lingua
