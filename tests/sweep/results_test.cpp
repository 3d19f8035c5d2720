#include "runtime/sweep/results.h"

#include <gtest/gtest.h>

namespace lingua {
namespace {

using nlohmann::json;

const json kResult = {{"a", 1},
                      {"b", {{"c", "text"}, {"d", {{"e", true}}}}},
                      {"list", {{{"x", 1}}, {{"x", 2}}}},
                      {"nothing", nullptr}};

TEST(KeptResults, AreAllScalarsButThoseInListsWhereNothingIsNamed) {
  EXPECT_EQ(kept_results(kResult, {}),
            (json{{"a", 1}, {"b.c", "text"}, {"b.d.e", true}, {"nothing", nullptr}}));
}

TEST(KeptResults, AreThoseThatAreNamedOrBelowAName) {
  EXPECT_EQ(kept_results(kResult, {"b"}), (json{{"b.c", "text"}, {"b.d.e", true}}));
  EXPECT_EQ(kept_results(kResult, {"b.d.e", "a"}), (json{{"a", 1}, {"b.d.e", true}}));
  EXPECT_EQ(kept_results(kResult, {"list.1"}), (json{{"list.1.x", 2}}));
  EXPECT_EQ(kept_results(kResult, {"list"}), (json{{"list.0.x", 1}, {"list.1.x", 2}}));
  EXPECT_EQ(kept_results(kResult, {"b.", "lis", "z"}), json::object());
}

TEST(KeptResults, OfAResultThatIsOneScalarHasAName) {
  EXPECT_EQ(kept_results(3, {}), (json{{"result", 3}}));
}

}  // namespace
}  // namespace lingua
