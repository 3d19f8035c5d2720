// Text in, text out through the command line: greedy, sampled, stopped, streamed, in conversation.

#include <gmock/gmock.h>
#include <signal.h>

#include "tests/cli/text_fixture.h"

namespace lingua::testing {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;

// Text, tokens and end of each request.
json answers(const Arguments& arguments) {
  const json result = json_of(arguments);
  json answers = json::array();
  for (const json& request : result.value("requests", json::array())) {
    answers.push_back({{"text", request.value("text", "none")},
                       {"tokens", request.at("tokens")},
                       {"finish", request.value("finish", "none")}});
  }
  return answers;
}

Arguments prompts(const json& golden) {
  Arguments options;
  for (const json& run : golden.at("runs"))
    options.insert(options.end(), {"--prompt", run["text"]});
  return options;
}

class Answers : public TextTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(Answers, AreThoseOfTransformersInEveryWorld) {
  const TextModel model = text_model(std::string("generation/") + GetParam());
  json expected = json::array();
  for (const json& run : model.golden["runs"]) {
    expected.push_back(
        {{"text", run["answer_text"]}, {"tokens", run["answer"]}, {"finish", "length"}});
  }
  const Arguments job =
      Arguments{"--model", model.folder, "--max-tokens", "12"} + prompts(model.golden) + kExactly;
  for (const Arguments& world : {kReference, run_on("1"), run_on("3"), kEmulated})
    EXPECT_EQ(answers(world + job), expected) << world.front() << " " << world.size();
}

TEST_P(Answers, ComeFromTheIdsOfTheTokenizersLibrary) {
  const TextModel model = text_model(std::string("generation/") + GetParam());
  const json& run = model.golden["runs"][0];
  EXPECT_EQ(json_of({"tokenize", "--model", model.folder, "--text", run["text"], "--json"})["ids"],
            run["prompt"]);
}

INSTANTIATE_TEST_SUITE_P(Models, Answers, ::testing::Values("bloom", "tinyllama"),
                         [](const auto& info) { return std::string(info.param); });

class TextRun : public TextTest {
 protected:
  Arguments job(const Arguments& further) const {
    return Arguments{"--model", model_.folder} + further + kExactly;
  }

  TextModel model_ = text_model("generation/tinyllama");
};

// transformers: "Some weights of the model checkpoint ... were not used".
TEST_F(TextRun, NamesTheTensorsThatTheConfigLeavesOut) {
  change_config(model_.folder, {{"num_hidden_layers", 3}});
  const Arguments job = {"--model", model_.folder, "--prompt-tokens", "3,4", "--max-tokens", "1"};
  for (const Arguments& verb : {Arguments{"inspect", model_.folder}, kReference + job,
                                kEmulated + job, run_on("2") + job}) {
    const Outcome outcome = lingua(verb);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("note: "), HasSubstr("model.layers.3."))) << verb[0];
  }
}

TEST_F(TextRun, DrawsTheSameTokensInEveryWorldForOneSeed) {
  const auto drawn = [&](const Arguments& world, const std::string& seed) {
    return answers(world + job({"--prompt", "Hello, world!", "--prompt", "3 + 4 =", "--max-tokens",
                                "16", "--temperature", "1.3", "--top-k", "40", "--top-p", "0.95",
                                "--repetition-penalty", "1.2", "--seed", seed}));
  };
  const json reference = drawn(kReference, "7");
  ASSERT_EQ(reference.size(), 2U);
  EXPECT_EQ(drawn(run_on("1"), "7"), reference);
  EXPECT_EQ(drawn(run_on("3") + Arguments{"--in-flight", "2"}, "7"), reference);
  EXPECT_EQ(drawn(kEmulated, "7"), reference);
  EXPECT_EQ(drawn(run_on("3") + Arguments{"--header-keeps-last", "1"}, "7"), reference)
      << "tokens that the penalty looks at stay on the header";
  EXPECT_NE(drawn(kReference, "8"), reference);
  const json greedy = answers(
      kReference + job({"--prompt", "Hello, world!", "--prompt", "3 + 4 =", "--max-tokens", "16"}));
  EXPECT_NE(greedy[0]["tokens"], reference[0]["tokens"]);
}

TEST_F(TextRun, EndsBeforeAStopStringWithoutIt) {
  const Arguments options =
      job(Arguments{"--max-tokens", "12", "--stop", "ng dec", "--stop", "N'T", "--stop", "never"} +
          prompts(model_.golden));
  const json reference = answers(kReference + options);
  ASSERT_EQ(reference.size(), 4U);
  const auto expect = [&](std::size_t request, const std::string& finish, std::size_t tokens,
                          const std::string& text) {
    const std::vector<int> all = model_.golden["runs"][request]["answer"];
    EXPECT_EQ(reference[request]["finish"], finish);
    EXPECT_EQ(reference[request]["tokens"],
              json(std::vector<int>(all.begin(), all.begin() + static_cast<long>(tokens))));
    EXPECT_EQ(reference[request]["text"], text);
  };
  expect(0, "stop", 3, "X1");
  expect(1, "length", 12, model_.golden["runs"][1]["answer_text"]);
  expect(2, "stop", 5, "domdomherli");
  expect(3, "length", 12, model_.golden["runs"][3]["answer_text"]);
  EXPECT_EQ(answers(run_on("3") + options), reference);
  EXPECT_EQ(answers(kEmulated + options), reference);
}

TEST_F(TextRun, EndsAtAnEndOfSequenceUnlessToldToIgnoreIt) {
  const json run = model_.golden["runs"][0];
  change_config(model_.folder, {{"eos_token_id", run["answer"][3]}});
  const Arguments options = job({"--max-tokens", "12", "--prompt", run["text"]});
  const json reference = answers(kReference + options);
  ASSERT_EQ(reference.size(), 1U);
  EXPECT_EQ(reference[0]["finish"], "stop");
  EXPECT_EQ(reference[0]["tokens"].size(), 4U);
  EXPECT_EQ(answers(run_on("3") + options), reference);
  const json whole = answers(kReference + Arguments{"--ignore-eos"} + options);
  ASSERT_EQ(whole.size(), 1U);
  EXPECT_EQ(whole[0]["finish"], "length");
  EXPECT_EQ(whole[0]["tokens"], run["answer"]);
}

std::string tokens_text(const json& ids) {
  std::string text;
  for (const json& id : ids) {
    if (!text.empty()) text += ',';
    text += id.dump();
  }
  return text;
}

// transformers: generation_config.json is what counts where it names ends, config.json is not.
TEST_F(TextRun, EndsAsTheGenerationConfigSaysHoweverThePromptIsGiven) {
  const json run = model_.golden["runs"][0];
  change_config(model_.folder, {{"eos_token_id", run["answer"][1]}});
  std::ofstream(model_.folder + "/generation_config.json")
      << json{{"eos_token_id", {run["answer"][3], 2}}};
  const Arguments text = job({"--max-tokens", "12", "--prompt", run["text"]});
  const Arguments tokens =
      job({"--max-tokens", "12", "--prompt-tokens", tokens_text(run["prompt"])});
  for (const Arguments& world : {kReference, run_on("3"), kEmulated}) {
    for (const Arguments& given : {text, tokens}) {
      const json found = answers(world + given);
      ASSERT_EQ(found.size(), 1U);
      EXPECT_EQ(found[0]["finish"], "stop") << world.front() << " " << given[2];
      EXPECT_EQ(found[0]["tokens"], json(run["answer"].begin(), run["answer"].begin() + 4));
    }
    EXPECT_EQ(answers(world + tokens + Arguments{"--ignore-eos"})[0]["tokens"], run["answer"]);
  }
}

TEST_F(TextRun, TakesOneRequestForEachPromptOfTokens) {
  const json& runs = model_.golden["runs"];
  const json found = answers(
      kReference + job({"--max-tokens", "12", "--prompt-tokens", tokens_text(runs[1]["prompt"]),
                        "--prompt-tokens", tokens_text(runs[2]["prompt"])}));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0]["tokens"], runs[1]["answer"]);
  EXPECT_EQ(found[1]["tokens"], runs[2]["answer"]);
}

// transformers decodes an id that its tokenizer does not have to nothing.
TEST_F(TextRun, SaysNothingForIdsThatTheTokenizerDoesNotHave) {
  const json run = model_.golden["runs"][1];
  const std::string path = model_.folder + "/tokenizer.json";
  json file = json::parse(std::ifstream(path));
  json& vocabulary = file["model"]["vocab"];
  ASSERT_EQ(vocabulary.at("aws"), run["answer"][6]);
  vocabulary.erase("aws");
  json merges = json::array();
  for (const json& merge : file["model"]["merges"]) {
    if (merge[0].get<std::string>() + merge[1].get<std::string>() != "aws") merges.push_back(merge);
  }
  file["model"]["merges"] = merges;
  std::ofstream(path) << file;
  const Arguments options = job({"--max-tokens", "12", "--prompt", run["text"], "--stop", "never"});
  std::string text = run["answer_text"];
  text.erase(text.find("aws"), 3);
  const json expected =
      json::array({{{"text", text}, {"tokens", run["answer"]}, {"finish", "length"}}});
  for (const Arguments& world : {kReference, run_on("2"), kEmulated})
    EXPECT_EQ(answers(world + options), expected) << world.front();
  const Outcome shown =
      lingua(run_on("2") + Arguments{"--model", model_.folder, "--dtype", "fp32", "--max-tokens",
                                     "12", "--prompt", run["text"]});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_EQ(shown.out, text + "\n");
}

TEST_F(TextRun, StreamsWholeCharactersWhileTokensAreMade) {
  Program program(lingua_command(run_on("2") + Arguments{"--model", model_.folder, "--prompt",
                                                         "3 + 4 =", "--max-tokens", "1900",
                                                         "--ignore-eos", "--temperature", "1"}));
  std::vector<std::string> seen = {""};
  while (seen.size() < 4) {
    ASSERT_TRUE(program.running()) << program.err();
    const std::string now = program.out();
    if (now == seen.back()) continue;
    EXPECT_TRUE(now.starts_with(seen.back()));
    EXPECT_NO_THROW(json(now).dump()) << "half a character";
    seen.push_back(now);
  }
  ::kill(program.pid(), SIGINT);
  EXPECT_NE(program.wait(std::chrono::seconds(10)).exit_code, 0);
}

TEST_F(TextRun, PrintsTheAnswersTextAloneOnStandardOutput) {
  const json& run = model_.golden["runs"][2];
  const Arguments options = {"--model", model_.folder, "--prompt",     run["text"],
                             "--dtype", "fp32",        "--max-tokens", "12"};
  const std::string text = run["answer_text"].get<std::string>() + "\n";
  EXPECT_EQ(lingua(kReference + options).out, text);
  EXPECT_EQ(lingua(run_on("2") + options + Arguments{"--stop", "ng dec"}).out, "domdomherli\n");
}

TEST_F(TextRun, HoldsSomeSegmentsInInt8WithTheTokensOfTheOtherWorlds) {
  const Arguments options = job({"--prompt", "3 + 4 =", "--max-tokens", "12"});
  const Arguments all = {"--int8", "all"};
  const json reference = answers(kReference + all + options);
  ASSERT_EQ(reference.size(), 1U);
  EXPECT_EQ(answers(run_on("3") + all + options), reference);
  const Arguments some = {"--int8", "0-2,4"};
  const json result = json_of(run_on("3") + some + options);
  EXPECT_EQ(result.value("int8_segments", json()), json({0, 1, 2, 4}));
  EXPECT_EQ(answers(kEmulated + some + options)[0]["tokens"], result["requests"][0]["tokens"]);
}

TEST_F(TextRun, RefusesChoicesOfInt8ThatMeanNothing) {
  const auto refused = [&](const std::string& choice, const Arguments& world) {
    expect_refused(lingua(world + Arguments{"--model", model_.folder, "--int8", choice}), 2,
                   {"--int8", choice});
  };
  refused("some", run_on("1"));
  refused("1000", run_on("1"));
  refused("0-2", kReference);
}

class Conversation : public TextRun {
 protected:
  // What comes of these lines on standard input.
  Outcome chat(const std::string& said, const Arguments& further) {
    write("said.txt", said);
    const Arguments all =
        lingua_command(Arguments{"chat", "--model", model_.folder} + local_workers("2") + further);
    return run_program(
        Arguments{"sh", "-c", "exec \"$@\" <'" + folder_.file("said.txt") + "'", "sh"} + all);
  }
  const Arguments zephyr_ = {"--chat-template", "zephyr", "--max-tokens", "8",
                             "--dtype",         "fp32",   "--threads",    "1"};
};

TEST_F(Conversation, AnswersEachLineWithWhatWasSaidBefore) {
  const std::string said = "Hello\nHello\n/new\nHello";
  const Outcome outcome = chat(said, zephyr_ + Arguments{"--json"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const json turns = outcome.json()["turns"];
  ASSERT_EQ(turns.size(), 3U);
  EXPECT_EQ(turns[2], turns[0]) << "a new conversation";
  EXPECT_NE(turns[1]["tokens"], turns[0]["tokens"]) << "an old one";
  const json alone = answers(
      kReference + Arguments{"--model", model_.folder, "--prompt", "Hello", "--json"} + zephyr_);
  ASSERT_EQ(alone.size(), 1U);
  EXPECT_EQ(turns[0]["tokens"], alone[0]["tokens"]);
  EXPECT_EQ(turns[0]["assistant"], alone[0]["text"]);

  std::string text;
  for (const json& turn : turns) text += turn["assistant"].get<std::string>() + "\n";
  const std::string messages = folder_.file("messages.csv");
  const Outcome shown = chat(said, zephyr_ + Arguments{"--trace-messages", messages});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_EQ(shown.out, text);
  EXPECT_THAT(read_file(messages), HasSubstr(",sent,client:1,coordinator,Submit,0,2,-1,0,"));
}

TEST_F(Conversation, SaysWhichTemplateItUses) {
  const Arguments prompt =
      kReference + Arguments{"--model",      model_.folder, "--prompt",       "Hello",
                             "--max-tokens", "1",           "--chat-template"};
  const std::string built_in = "chat template: the built-in zephyr\n";
  EXPECT_THAT(chat("Hello\n", zephyr_).err, HasSubstr(built_in));
  EXPECT_THAT(lingua(prompt + Arguments{"zephyr"}).err, HasSubstr(built_in));
  const std::filesystem::path folder(model_.folder);
  std::filesystem::create_directory(folder / "additional_chat_templates");
  const auto put = [&](const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
    return "chat template: the model's own (" + (folder / name).string() + ")\n";
  };
  const std::string first = put("chat_template.jinja", "{{ messages[-1].content }}");
  const std::string brief = put("additional_chat_templates/brief.jinja", "Briefly: ");
  EXPECT_THAT(chat("Hello\n", {"--max-tokens", "1"}).err, HasSubstr(first));
  EXPECT_THAT(chat("Hello\n", {"--max-tokens", "1", "--chat-template", "brief"}).err,
              HasSubstr(brief));
  EXPECT_THAT(lingua(prompt + Arguments{"auto"}).err, HasSubstr(first));
  EXPECT_THAT(lingua(prompt + Arguments{"brief"}).err, HasSubstr(brief));
  EXPECT_EQ(lingua(prompt + Arguments{"brief"}).exit_code, 0);
  expect_refused(lingua(prompt + Arguments{"long"}), 2, {"long", "zephyr", "default, brief"});
}

TEST_F(Conversation, EndsWithItsInput) {
  const Outcome outcome = chat("", zephyr_);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

TEST_F(Conversation, RefusesWhatItCannotRead) {
  expect_refused(chat("Gr\xFC\xDF\n", zephyr_), 3, {"standard input", "byte 2", "UTF-8"});
  expect_refused(chat("Hello\n", {"--chat-template", "parrot"}), 2, {"parrot", "zephyr"});
  expect_refused(chat("Hello\n", {}), 3, {"template"});
}

class TextRefusals : public TextRun {
 protected:
  void refused(int code, const std::vector<std::string>& words, const Arguments& further) {
    expect_refused(lingua(Arguments{"run", "--local", "--model", model_.folder} + further), code,
                   words);
  }
};

TEST_F(TextRefusals, NameTheOption) {
  refused(3, {"--prompt", "byte 2", "UTF-8"}, {"--prompt", "Gr\xFC\xDF"});
  refused(3, {"--stop", "UTF-8"}, {"--prompt", "Hello", "--stop", "\xFF"});
  refused(2, {"--prompt-tokens", "--prompt"}, {"--prompt", "Hello", "--prompt-tokens", "1,2"});
  refused(2, {"--stop"}, {"--prompt", "Hello", "--stop", ""});
  refused(2, {"--top-p", "3"}, {"--prompt", "Hello", "--top-p", "3"});
  expect_refused(lingua({"tokenize", "--model", model_.folder}), 2, {"tokenize", "--text"});
}

TEST_F(TextRefusals, NameTheTokensOfAPromptThatAreNone) {
  for (const std::string text : {"", " ", "1,,2", "1,", ",", "1;2", "x", "1,-2", "809", "1.5",
                                 "0x1", "99999999999999999999", "1 2"}) {
    refused(2, {"--prompt-tokens", "from 0 to 808"}, {"--prompt-tokens", text});
  }
  refused(2, {"--prompt-length", "--prompt"}, {"--prompt", "Hello", "--prompt-length", "3"});
  refused(2, {"--prompt-tokens", "--prompt-file"}, {"--prompt-file", "-", "--prompt-tokens", "3"});
}

TEST_F(TextRefusals, NameThePositionsThatTheModelWasTrainedOn) {
  change_config(model_.folder, {{"max_position_embeddings", 12}});
  for (const Arguments& prompt : {Arguments{"--prompt-tokens", "1,2,3,4,5"},
                                  {"--prompt-length", "5"},
                                  {"--prompt", "The capital of France is"}}) {
    refused(3, {prompt[0], "8 more", "at most 12"}, prompt + Arguments{"--max-tokens", "8"});
  }
  EXPECT_EQ(answers(kReference + job({"--prompt-tokens", "1, 2,3,4,5 ", "--max-tokens", "7",
                                      "--ignore-eos"}))[0]["tokens"]
                .size(),
            7U);
}

TEST_F(TextRefusals, NameTheTokenizerThatIsMissingOrDoesNotFit) {
  std::filesystem::remove(model_.folder + "/tokenizer.json");
  refused(3, {"generation-tinyllama", "tokenizer.json"}, {"--prompt", "Hello"});
  expect_refused(lingua({"tokenize", "--model", model_.folder, "--text", "Hello"}), 3,
                 {"generation-tinyllama", "tokenizer.json"});
  const TextModel bloom = text_model("generation/bloom");
  put_tokenizer("tinyllama.tokenizer.json", bloom.folder);
  expect_refused(lingua({"reference", "--model", bloom.folder, "--prompt", "Hello"}), 3,
                 {"generation-bloom", "809", "604"});
}

}  // namespace
}  // namespace lingua::testing
