#include "runtime/report/plan_picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/planner/planner.h"
#include "tests/planner/problem.h"

namespace lingua {
namespace {

using ::testing::HasSubstr;
using testing::Problem;

// B does it all in 4.2 s at 2 GFLOP/s; each second device would wait for slow links.
Problem one_is_enough() {
  Problem problem;
  problem.cluster.default_link = {1e4, Seconds(1)};
  problem.cluster.links.clear();
  return problem;
}

TEST(PlanPicture, ShowsEveryDeviceAndWhyOneHasNothing) {
  Problem problem = one_is_enough();
  problem.segmentation.model = "a <small> model & more";
  const PlanRequest request = problem.request();
  const Plan plan = make_plan("dp", request);
  const Explanation explanation = explain(plan, request);
  const std::string svg = plan_picture(plan, request, explanation);
  for (const char* text :
       {">A</text>", ">B</text>", ">C</text>", ">nothing</text>", "at best it would",
        "in all 7.70 s, 100.0% worse", "a &lt;small&gt; model &amp; more", "</svg>"}) {
    EXPECT_THAT(svg, HasSubstr(text));
  }
  EXPECT_EQ(plan_picture(plan, request, explanation), svg);
}

}  // namespace
}  // namespace lingua
