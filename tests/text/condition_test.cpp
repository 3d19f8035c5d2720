#include "runtime/text/jinja/condition.h"

#include <gmock/gmock.h>

#include "runtime/base/errors.h"

namespace lingua::jinja {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

bool holds(const std::string& source, const Entries& variables = {}) {
  return Condition(source, "c").holds(variables);
}

std::string refusal(const std::string& source, const Entries& variables = {}) {
  try {
    holds(source, variables);
  } catch (const InputError& error) {
    return error.what();
  }
  return "nothing";
}

TEST(Condition, HoldsAsInAnIfOfJinja) {
  const Entries variables = {
      {"planner", "even"}, {"depth", std::int64_t{3}}, {"none_yet", Value()}};
  for (const char* source :
       {"planner == 'even' and depth > 2", "depth in [1, 3]", "none_yet is none",
        "depth in range(1, 4)", "planner.startswith('ev')", "planner | length == 4", "depth",
        "not none_yet", "1 < depth <= 3", "'}}' != planner", "depth % 2 == 1", "\n true \n"})
    EXPECT_TRUE(holds(source, variables)) << source;
  for (const char* source : {"depth > 3", "none_yet", "planner == 3", "''", "depth - 3", "false"})
    EXPECT_FALSE(holds(source, variables)) << source;
}

TEST(Condition, NamesTheVariablesThatItReads) {
  EXPECT_THAT(Condition("a.b > c[d] and f in range(e) or g is divisibleby(h)", "c").variables(),
              ElementsAre("a", "c", "d", "e", "f", "g", "h"));
  EXPECT_THAT(Condition("raise_exception('x') or strftime_now('%s')", "c").variables(),
              ElementsAre("raise_exception", "strftime_now"));
  EXPECT_THAT(Condition("1 < 2 and true", "c").variables(), IsEmpty());
}

TEST(Condition, RefusesWhatIsNoExpressionOrCannotBeComputed) {
  for (const char* source : {"", "a b", "a }} {{ b", "a %}", "a, b", "{% if a %}", "(a",
                             "a ==", "a is odder", "a | nothing"})
    EXPECT_THAT(refusal(source), HasSubstr("c: line 1: ")) << source;
  EXPECT_THAT(refusal("a > 2", {{"a", "text"}}), HasSubstr("c: line 1: "));
  EXPECT_THAT(refusal(std::string(20'000, '1')), HasSubstr("c: has 20000 bytes"));
  EXPECT_THAT(refusal("\xff"), HasSubstr("is not UTF-8"));
}

}  // namespace
}  // namespace lingua::jinja
