#include "runtime/sweep/spec.h"

#include <gmock/gmock.h>

#include <utility>
#include <vector>

#include "tests/sweep/sweeps.h"

namespace lingua {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::refusal;

SweepSpec parse(const std::string& yaml) {
  return parse_sweep(yaml, "some/s.yaml", testing::check_setting);
}

TEST(SweepSpec, ReadsAllItsFields) {
  const SweepSpec spec = parse(
      "name: mine\nwhat: plan\nbase: {model: toy, supply: [a, b]}\n"
      "axes:\n  planner: [even, dp]\n  seed: [7, 1..3, \"11..12\"]\n"
      "  phones: [{cluster: a.yaml, in-flight: 3}, {cluster: b.yaml}]\n"
      "exclude: ['seed == 7']\nkeep: [latency]\n");
  EXPECT_EQ(spec.name, "mine");
  EXPECT_EQ(spec.what, "plan");
  EXPECT_EQ(spec.base, (json{{"model", "toy"}, {"supply", {"a", "b"}}}));
  ASSERT_EQ(spec.axes.size(), 3u);
  EXPECT_EQ(spec.axes[1].size(), 6u);
  std::vector<json> seeds;
  for (std::uint64_t i = 0; i < 6; ++i) seeds.push_back(spec.axes[1].at(i)["seed"]);
  EXPECT_THAT(seeds, ElementsAre(7, 1, 2, 3, 11, 12));
  EXPECT_EQ(spec.axes[2].at(0), (json{{"cluster", "a.yaml"}, {"in-flight", 3}}));
  EXPECT_EQ(spec.axes[2].at(1), (json{{"cluster", "b.yaml"}}));
  EXPECT_EQ(spec.size(), 24u);
  EXPECT_THAT(spec.settings,
              ElementsAre("cluster", "in-flight", "model", "planner", "seed", "supply"));
  EXPECT_THAT(spec.keep, ElementsAre("latency"));
}

TEST(SweepSpec, NamesItselfAfterItsFileAndSimulatesWhereNothingIsSaid) {
  const SweepSpec spec = parse("axes: [{seed: 1..2}, {planner: [dp]}]\n");
  EXPECT_EQ(spec.name, "s");
  EXPECT_EQ(spec.what, "simulate");
  EXPECT_EQ(spec.axes[0].name(), "seed");
  EXPECT_EQ(spec.axes[1].name(), "planner");
}

TEST(SweepSpec, DigestIsOfWhatItSaysNotOfItsLayout) {
  const std::string digest = parse("name: x\naxes: {seed: 1..3, planner: [dp]}\n").digest();
  EXPECT_EQ(parse("# mine\nname:   x\naxes:\n  seed: 1..3\n  planner:\n  - dp\n").digest(), digest);
  for (const char* other : {"name: y\naxes: {seed: 1..3, planner: [dp]}\n",
                            "name: x\naxes: {planner: [dp], seed: 1..3}\n",
                            "name: x\naxes: {seed: 1..4, planner: [dp]}\n",
                            "name: x\naxes: {seed: 1..3, planner: [DP]}\n",
                            "name: x\nwhat: plan\naxes: {seed: 1..3, planner: [dp]}\n",
                            "name: x\nkeep: [a]\naxes: {seed: 1..3, planner: [dp]}\n",
                            "name: x\nexclude: ['seed > 2']\naxes: {seed: 1..3, planner: [dp]}\n",
                            "name: x\nbase: {in-flight: 1}\naxes: {seed: 1..3, planner: [dp]}\n"})
    EXPECT_NE(parse(other).digest(), digest) << other;
}

TEST(SweepSpec, RefusesInOneLineThatNamesTheField) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"[1]", "some/s.yaml: is a list; write 'field: value' lines"},
      {"axis: {}", "axis: is not a field here; write one of name, what, base"},
      {"name: 'a b'\naxes: {seed: [1]}", "name: 'a b' is not accepted; write 1 to 64 letters"},
      {"name: [x]\naxes: {seed: [1]}", "name: is a list; write"},
      {"what: run\naxes: {seed: [1]}", "what: 'run' is not accepted; write simulate or plan"},
      {"base: {model: toy}", "axes: is missing"},
      {"axes: 7", "axes: is '7'; write"},
      {"axes: [7]", "axes: holds '7'; write"},
      {"axes: {seed: []}", "axes.seed: is an empty list; write a list of values"},
      {"axes: {seed: }", "axes.seed: is empty; write a list"},
      {"axes: {seed: 5}", "axes.seed: is '5'; write a list of values, or a range as in 1..20"},
      {"axes: {seed: [1, ~]}", "axes.seed: value 2 is empty; write a text"},
      {"axes: {seed: [1, {seed: 2}]}", "axes.seed: value 2 is a mapping; write values only"},
      {"axes: {p: [{seed: 2}, 1]}", "axes.p: value 2 is '1'; write values only"},
      {"axes: {p: [{}]}", "axes.p: sets nothing"},
      {"axes: {p: [{seed: {a: 1}}]}", "axes.p: value 1: 'seed' is a mapping; write a text"},
      {"axes: {p: [{seed: 1..3}]}", "axes.p: value 1: 'seed' is a range; write one value here"},
      {"axes: {seed: [[[1]]]}", "value 1 holds a list in a list"},
      {"axes: {seed: [[]]}", "value 1 has 0 values; write from 1 to 1000"},
      {"axes: {seed: [1, 2, 1]}", "axes.seed: '1' stands twice; write each value once"},
      {"axes: {seed: [1, '1']}", "axes.seed: '1' stands twice"},
      {"axes: {seed: [5, 1..9]}", "axes.seed: '5' stands twice"},
      {"axes: {seed: [1..5, 5..9]}", "axes.seed: '5' stands twice"},
      {"axes: {seed: [0.5, 0.50]}", "axes.seed: '0.5' stands twice"},
      {"axes: {p: [{seed: 1, model: a}, {model: a, seed: 1}]}", "stands twice"},
      {"axes: {seed: 5..1}", "axes.seed: '5..1' is not accepted; write a range from the smaller"},
      {"axes: {seed: 0..99999999999999999999}", "is not accepted; write a range"},
      {"axes: {seed: -9223372036854775808..9223372036854775807}", "more than 10000000 values"},
      {"axes: {seed: 1..10000001}", "10000001 (seed) are more than 10000000 points"},
      {"axes: {seed: 1..10000, in-flight: 1..10000}",
       "axes: 10000 (seed) x 10000 (in-flight) are more than 10000000 points; write fewer values"},
      {"axes: {sed: [1]}",
       "axes.sed: 'sed' is no setting of simulate; write one of model, cluster"},
      {"axes: {--seed: [1]}", "axes.--seed: '--seed' is no name of a setting"},
      {"axes: {in_flight: [1]}", "'in_flight' is no name of a setting; write it as on the command"},
      {"base: {in-fligth: 1}\naxes: {seed: [1]}", "base.in-fligth: 'in-fligth' is no setting of"},
      {"base: 3\naxes: {seed: [1]}", "base: is '3'; write 'SETTING: VALUE' lines"},
      {"base: {seed: 1..3}\naxes: {model: [a]}", "base.seed: is a range; write it in axes"},
      {"base: {seed: ~}\naxes: {model: [a]}", "base.seed: is empty; write a text, a number"},
      {"base: {seed: 1}\naxes: {seed: [2]}", "axes.seed: 'seed' is set in base too; write it once"},
      {"axes: {seed: [2], p: [{seed: 3}]}", "axes.p: 'seed' is set by another axis too"},
      {"axes: {seed: [2], seed: [3]}", "line 1: 'seed' stands twice"},
      {"axes: [{seed: [2]}, {seed: [3]}]", "axes.seed: stands twice; write it once"},
      {"axes: {seed: [1]}\nexclude: seed", "exclude: is 'seed'; write a list of texts"},
      {"axes: {seed: [1]}\nexclude: []", "exclude: is empty; write a list of texts, or leave it"},
      {"axes: {seed: [1]}\nexclude: [true]", "exclude[0]: is 'true'; write a text in quotes"},
      {"axes: {seed: [1]}\nexclude: ['seed >']", "exclude[0]: line 1: this is not accepted here"},
      {"axes: {seed: [1]}\nexclude: ['seed > 1 }} {{ seed']", "exclude[0]: line 1:"},
      {"axes: {seed: [1]}\nexclude: ['planner == 1']", "exclude[0]: 'planner' is not set in base"},
      {"axes: {in-flight: [1]}\nexclude: ['in-flight > 1']",
       "exclude[0]: 'flight' is not set in base or axes; name in_flight"},
      {"axes: {seed: [1]}\nexclude: ['seed is odder']", "exclude[0]: line 1: the test"},
      {"axes: {seed: [1]}\nexclude: ['strftime_now(\"%s\")']", "'strftime_now' is not set in base"},
      {"axes: {seed: [1]}\nkeep: latency", "keep: is 'latency'; write a list of texts"},
      {"axes: {seed: [1]}\nkeep: [a, b, a]", "keep[2]: 'a' stands twice; write it once"},
  };
  for (const auto& one : table) {
    const auto& yaml = one.first;
    const std::string said = refusal<InputError>([&] { parse(yaml + "\n"); });
    EXPECT_THAT(said, HasSubstr(one.second)) << yaml;
    EXPECT_THAT(said, HasSubstr("some/s.yaml: ")) << yaml;
    EXPECT_EQ(said.find('\n'), said.npos) << said;
  }
}

TEST(SweepSpec, ShowsNothingThatATerminalObeys) {
  const std::string said = refusal<InputError>([] { parse("axes: {\"\\e[2Jx\": [1]}\n"); });
  EXPECT_EQ(said.find('\x1b'), said.npos);
  EXPECT_THAT(said, HasSubstr("\\x1b[2Jx"));
}

TEST(SweepSpec, ThatIsNotThereIsNamed) {
  EXPECT_THAT(refusal<InputError>([] { load_sweep("/nowhere/x.yaml", nullptr); }),
              HasSubstr("/nowhere/x.yaml: No such file"));
}

}  // namespace
}  // namespace lingua
