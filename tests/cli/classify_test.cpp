// Sentiment of a table's texts through the command line: the labels of Hugging Face transformers.

#include <cmath>

#include "tests/cli/text_fixture.h"

namespace lingua::testing {
namespace {

using nlohmann::json;

const std::string kSentences =
    std::string(LINGUA_SOURCE) + "/tests/golden/classification/sentences.csv";
const Arguments kLabels = {"negative", "neutral", "positive"};
constexpr double kTolerance = 1e-4;

std::map<std::string, double> shares(const json& logits) {
  std::map<std::string, double> shares;
  double sum = 0;
  for (std::size_t i = 0; i < kLabels.size(); ++i) {
    sum += shares[kLabels[i]] = std::exp(logits.at(i).get<double>());
  }
  for (auto& [label, share] : shares) share /= sum;
  return shares;
}

void expect_prompt(const json& row, const json& prompt) {
  EXPECT_EQ(row.at("label"), prompt.at("label"));
  ASSERT_EQ(row.at("scores").size(), kLabels.size());
  for (const auto& [label, share] : shares(prompt.at("logits").at(0))) {
    EXPECT_NEAR(row.at("scores").at(label).get<double>(), share, kTolerance) << label;
  }
}

void expect_golden(const json& rows, const json& golden) {
  const json& prompts = golden.at("prompts");
  ASSERT_EQ(rows.size(), prompts.size());
  for (std::size_t r = 0; r < rows.size(); ++r) {
    SCOPED_TRACE("row " + std::to_string(r + 1));
    expect_prompt(rows[r], prompts[r]);
  }
}

class Sentences : public TextTest, public ::testing::WithParamInterface<const char*> {
 protected:
  TextModel model_ = text_model(std::string("classification/") + GetParam());
};

TEST_P(Sentences, GetTheLabelsOfTransformersOnOneAndThreeWorkers) {
  const auto classify = [&](const std::string& workers) {
    return json_of(Arguments{"classify", kSentences, "--model", model_.folder} +
                   local_workers(workers) + kExactly);
  };
  const json one = classify("1");
  const json three = classify("3");
  ASSERT_TRUE(one.contains("rows") && three.contains("rows"));
  expect_golden(one["rows"], model_.golden);
  EXPECT_EQ(three["rows"], one["rows"]) << "to the last bit";
  EXPECT_EQ(three["accuracy"], model_.golden["accuracy"]);
  for (std::size_t r = 0; r < one["rows"].size(); ++r) EXPECT_EQ(one["rows"][r]["row"], r + 1);
  EXPECT_EQ(one["rows"][0]["expected"], "positive");
  EXPECT_EQ(one["rows"][40]["expected"], "negative");
  EXPECT_EQ(three.at("plan").at("stages").size(), 3U);
  EXPECT_EQ(three.at("devices").size(), 3U);
  EXPECT_GE(three.at("links").size(), 3U);
  EXPECT_TRUE(three.contains("rows_per_s"));
  EXPECT_FALSE(three.contains("bytes_per_token")) << "a pass makes no token";
}

// As prompts: a table is for real workers only.
TEST_P(Sentences, GetTheLabelsOfTransformersOnEmulatedPhones) {
  const std::map<std::size_t, std::string> texts = {
      {0, "I love this phone"}, {16, "\xF0\x9F\x91\x8E"}, {40, "one\ntwo\n\nthree\n"}};
  Arguments options = {"--model", model_.folder};
  for (const auto& [row, text] : texts) options.insert(options.end(), {"--prompt", text});
  const json result = json_of(kEmulated + options + kExactly);
  ASSERT_EQ(result.value("requests", json()).size(), texts.size());
  std::size_t request = 0;
  for (const auto& [row, text] : texts) {
    SCOPED_TRACE(text);
    expect_prompt(result["requests"][request++], model_.golden["prompts"][row]);
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Sentences, ::testing::Values("bloom", "tinyllama"),
                         [](const auto& info) { return std::string(info.param); });

const std::string kPadded = std::string(LINGUA_SOURCE) + "/tests/golden/classification/padded.csv";

class PaddedTexts : public TextTest {
 protected:
  // The rows that `lingua classify` gives, their scores compared with those of transformers.
  json rows_of(const std::string& name, const std::string& label_column, json* whole) {
    const TextModel model = text_model("classification/" + name);
    *whole = json_of(
        Arguments{"classify", kPadded, "--model", model.folder, "--label-column", label_column} +
        local_workers("2") + kExactly);
    const json& prompts = model.golden.at("prompts");
    const json rows = whole->value("rows", json::array());
    EXPECT_EQ(rows.size(), prompts.size());
    for (std::size_t r = 0; r < std::min(rows.size(), prompts.size()); ++r) {
      const json& scores = prompts[r].at("scores");
      EXPECT_EQ(rows[r].at("scores").size(), scores.size());
      for (std::size_t i = 0; i < scores.size(); ++i) {
        const std::string label = scores.size() == 1 ? "LABEL_0" : kLabels[i];
        EXPECT_NEAR(rows[r].at("scores").at(label).get<double>(), scores[i].get<double>(),
                    kTolerance)
            << "row " << r + 1 << " " << label;
      }
    }
    return rows;
  }
};

TEST_F(PaddedTexts, AreJudgedByTheirLastTokenThatIsNotPadding) {
  json whole;
  const json rows = rows_of("bloom-padded", "label", &whole);
  ASSERT_EQ(rows.size(), 7U);
  EXPECT_FALSE(rows[0].contains("labels"));
}

TEST_F(PaddedTexts, GetTheRawScoreOfOneLabelAndItsDistanceFromTheTables) {
  json whole;
  const json rows = rows_of("bloom-reward", "score", &whole);
  const double expected[] = {1.5, -2, 0, 0.25, 0.1, 3, 3};
  double squares = 0;
  ASSERT_EQ(rows.size(), std::size(expected));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    squares += std::pow(rows[r].at("scores").at("LABEL_0").get<double>() - expected[r], 2);
  }
  EXPECT_NEAR(whole.at("mean_squared_error").get<double>(), squares / 7, 1e-9);
  EXPECT_FALSE(whole.contains("accuracy"));
  const TextModel model = text_model("classification/bloom-reward");
  expect_refused(
      lingua(Arguments{"classify", kPadded, "--model", model.folder} + local_workers("1")), 3,
      {"padded.csv", "row 1", "'label'", "'positive' is not a number"});
}

TEST_F(PaddedTexts, GetAllLabelsWithMoreThanAHalf) {
  json whole;
  const json rows = rows_of("bloom-several", "labels", &whole);
  double right = 0;
  for (const json& row : rows) {
    json above = json::array();
    for (const std::string& label : kLabels) {
      if (row.at("scores").at(label) > 0.5) above.push_back(label);
    }
    EXPECT_EQ(row.at("labels"), above);
    right += row.at("labels") == row.at("expected") ? 1 : 0;
  }
  EXPECT_EQ(whole.at("accuracy").get<double>(), right / 7);
  ASSERT_EQ(rows.size(), 7U);
  EXPECT_EQ(rows[0].at("expected"), (json{"neutral", "positive"}));
  EXPECT_EQ(rows[2].at("expected"), json::array());
  EXPECT_EQ(rows[3].at("expected"), (json{"negative", "positive"}));
}

class ClassifyTest : public TextTest {
 protected:
  TextModel model_ = text_model("classification/bloom");

  Arguments classify(const std::string& table) {
    write("table.csv", table);
    return Arguments{"classify", folder_.file("table.csv"), "--model", model_.folder} +
           local_workers("1");
  }
  void expect_bad_table(const std::string& table, const std::vector<std::string>& words,
                        const Arguments& further = {}) {
    SCOPED_TRACE(table);
    expect_refused(lingua(classify(table) + further), 3, words);
  }
};

TEST_F(ClassifyTest, ReadsTheTablesOfSpreadsheets) {
  const json golden = model_.golden["prompts"];
  const json result = json_of(classify("\xEF\xBB\xBF\"nr\",\"what, they said\",label of ours\r\n"
                                       "1,\"I love this phone\",+\r\n"
                                       "2,\"They said \"\"waterproof\"\". It was not.\",-\r\n"
                                       "3,\"The box holds a cable, a charger and a booklet.\",\r\n"
                                       "4,\xF0\x9F\x91\x8E,\"\"") +
                              Arguments{"--text-column", "what, they said"} + kExactly);
  ASSERT_EQ(result["rows"].size(), 4U);
  expect_prompt(result["rows"][0], golden[0]);
  expect_prompt(result["rows"][1], golden[4]);
  expect_prompt(result["rows"][2], golden[5]);
  expect_prompt(result["rows"][3], golden[16]);
  EXPECT_FALSE(result.contains("accuracy")) << "no column 'label'";
  EXPECT_FALSE(result["rows"][0].contains("expected"));
}

TEST_F(ClassifyTest, ShowsPeopleATable) {
  const Outcome outcome =
      lingua(classify("text,mood\nI love this phone,negative\nIt is a phone.,positive\n") +
             Arguments{"--label-column", "mood", "--dtype", "fp32"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  for (const char* part : {"negative", "neutral", "I love this phone", "It is a phone.", "50.0%"})
    EXPECT_THAT(outcome.err, ::testing::HasSubstr(part));
}

TEST_F(ClassifyTest, RefusesTablesThatAreNotWhole) {
  expect_bad_table("", {"table.csv", "empty"});
  expect_bad_table("text,label\n", {"table.csv", "no rows"});
  expect_bad_table("text,label\nGood,positive\nBad,negative,very\n",
                   {"table.csv", "row 2", "3 cells", "2 columns"});
  expect_bad_table("text,label\nGood,positive\n\"Bad,negative\n", {"table.csv", "row 2"});
  expect_bad_table("text,label\nGood,positive\nSo \"bad\",negative\n", {"table.csv", "row 2"});
  expect_bad_table("text,label\nGood,positive\nB\xC3,negative\n",
                   {"table.csv", "row 2", "'text'", "UTF-8"});
}

TEST_F(ClassifyTest, NamesTheCellThatItCannotTake) {
  expect_bad_table("text,label\nGood,positive\n,negative\n", {"table.csv", "row 2", "'text'"});
  expect_bad_table("text,label\nGood,glad\n",
                   {"table.csv", "row 1", "'label'", "glad", "negative, neutral, positive"});
  expect_bad_table("review,label\nGood,positive\n", {"table.csv", "'text'", "review, label"});
  expect_bad_table("text,text\nGood,Bad\n", {"table.csv", "text, text"});
  expect_refused(lingua(Arguments{"classify", folder_.file("none.csv"), "--model", model_.folder} +
                        local_workers("1")),
                 3, {"none.csv"});
}

TEST_F(ClassifyTest, RefusesModelsThatCannotClassifyATable) {
  const std::string table = "text,label\nGood,positive\n";
  const TextModel generates = text_model("generation/bloom");
  Arguments other = classify(table);
  std::replace(other.begin(), other.end(), model_.folder, generates.folder);
  expect_refused(lingua(other), 3, {"generation-bloom", "no classifier"});
  put_tokenizer("tinyllama.tokenizer.json", model_.folder);
  expect_bad_table(table, {"classification-bloom", "809", "604"});
  std::filesystem::remove(model_.folder + "/tokenizer.json");
  expect_bad_table(table, {"classification-bloom", "tokenizer.json"});
}

}  // namespace
}  // namespace lingua::testing
