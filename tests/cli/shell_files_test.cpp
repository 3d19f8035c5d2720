#include "runtime/cli/shell_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "runtime/app/setting.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A program with a verb in a verb, options of all kinds, and a hidden verb.
class ShellFiles : public ::testing::Test {
 protected:
  ShellFiles() {
    app_.set_version_flag("--version", "1");
    auto* sweep = app_.add_subcommand("sweep", "many points");
    auto* run = sweep->add_subcommand("run", "runs 'em: a\\b");
    run->add_option("spec", spec_, ".what to vary")->required()->type_name(kInputPath);
    run->add_option("--head", head_, "positions")->check(CLI::IsMember({"last", "all"}));
    run->add_option("-n,--max-batch", batch_, "steps")->type_name("STEPS|auto")->default_str("1");
    run->add_option("--db", database_, "rows")->type_name("off|FILE");
    run->add_option("--seed", seed_, "of draws")->check(CLI::Range(1, 9));
    run->add_flag("--json", json_, "as JSON");
    app_.add_subcommand("hidden", "not seen")->group("");
  }

  std::vector<VerbFacts> verbs() const { return verbs_of(app_); }

  CLI::App app_{"a program", "lingua"};
  std::string spec_, head_, batch_, database_;
  int seed_ = 0;
  bool json_ = false;
};

TEST_F(ShellFiles, TreeTellsVerbsBelowVerbsAndWhatValuesMayBe) {
  const auto all = verbs();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].path, "");
  EXPECT_THAT(all[0].verbs, ElementsAre("sweep"));
  EXPECT_EQ(all[2].path, "sweep run");
  const auto& options = all[2].options;
  ASSERT_EQ(options.size(), 6U);
  EXPECT_EQ(options[0].word, "spec");
  EXPECT_TRUE(options[0].is_path && options[0].is_required && options[0].names.empty());
  EXPECT_THAT(options[1].choices, ElementsAre("last", "all"));
  EXPECT_THAT(options[2].names, ElementsAre("-n", "--max-batch"));
  EXPECT_THAT(options[2].choices, ElementsAre("auto"));
  EXPECT_EQ(options[2].default_text, "1");
  EXPECT_TRUE(options[3].is_path);
  EXPECT_EQ(options[4].value, "INT");
  EXPECT_THAT(options[4].choices, IsEmpty());
  EXPECT_EQ(options[5].value, "");
}

TEST_F(ShellFiles, CompletionKnowsVerbsOptionsAndValues) {
  const std::string script = bash_completion(verbs());
  EXPECT_THAT(script, HasSubstr("'') echo 'sweep --version --help' ;;"));
  EXPECT_THAT(script, HasSubstr("sweep) echo 'run --help' ;;"));
  EXPECT_THAT(script, HasSubstr("'sweep run --head') echo 'last all' ;;"));
  EXPECT_THAT(script, HasSubstr("'sweep run --db') echo - ;;"));
  EXPECT_THAT(script, HasSubstr("'sweep run --seed') echo '\\' ;;"));
  EXPECT_THAT(script, HasSubstr("'sweep run') echo - ;;"));
  EXPECT_THAT(script, AllOf(Not(HasSubstr("'sweep run --json')")), Not(HasSubstr("hidden"))));
}

TEST_F(ShellFiles, ManualTakesTextAsItIs) {
  const std::string page = manual_page(verbs(), "lingua 1", "2026-03-09", "0 done\n.1 not");
  EXPECT_THAT(page, HasSubstr(".TH LINGUA 1 \"2026-03-09\" \"lingua 1\""));
  EXPECT_THAT(page, HasSubstr(".SS \"lingua sweep run\"\n\\fBlingua sweep run\\fR \\fIspec\\fR"));
  EXPECT_THAT(page, HasSubstr("runs \\(aqem: a\\eb"));
  EXPECT_THAT(page, HasSubstr("\n\\&.what to vary [required]"));
  EXPECT_THAT(
      page,
      HasSubstr("\\fB\\-n\\fR, \\fB\\-\\-max\\-batch\\fR \\fISTEPS|auto\\fR\nsteps [default 1]"));
  EXPECT_THAT(page, HasSubstr("positions [one of last, all]"));
  EXPECT_THAT(page, HasSubstr("0 done\n\\&.1 not"));
  EXPECT_THAT(page, Not(HasSubstr("hidden")));
}

}  // namespace
}  // namespace lingua
