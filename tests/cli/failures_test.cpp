// What users get wrong: one line, the right exit code.

#include <filesystem>

#include "tests/cli/lingua_fixture.h"

namespace lingua::testing {
namespace {

namespace fs = std::filesystem;

TEST_F(LinguaTest, RefusesAddressesThatAreNone) {
  for (const std::string address :
       {"127.0.0.1:5555", "ipc:///tmp/x", "tcp://host", "tcp://host:0"}) {
    expect_refused(lingua({"worker", "--coordinator", address, "--name", "x"}), 2,
                   {"--coordinator", address + "' is no address", "write tcp://HOST:PORT"});
    expect_refused(lingua({"worker", "--coordinator", "tcp://127.0.0.1:1", "--name", "x",
                           "--listen", address}),
                   2, {"--listen", "is no address", "* for either"});
  }
  expect_refused(
      lingua({"run", "--cluster", kThreePhones, "--listen", "5555", "--model", tiny_model()}), 2,
      {"--listen", "'5555' is no address"});
}

TEST_F(LinguaTest, RefusesNamesThatNoDeviceCanHave) {
  for (const std::string& name : {std::string("coordinator"), std::string(201, 'x'),
                                  std::string("two\nlines"), std::string()}) {
    expect_refused(lingua({"worker", "--coordinator", "tcp://127.0.0.1:1", "--name", name}), 2,
                   {"--name", "printable characters, not 'coordinator'"});
  }
}

TEST_F(LinguaTest, RefusesWhatTheCommandLineGetsWrong) {
  expect_refused(lingua({}), 2, {});
  expect_refused(lingua({"fly"}), 2, {"fly", "simulate"});
  expect_refused(lingua({"simulate", "bloom-560m"}), 2, {"--cluster"});
  expect_refused(
      lingua({"simulate", "bloom-560m", "--cluster", kThreePhones, "--planner", "magic"}), 2,
      {"magic", "even"});
  expect_refused(lingua({"inspect", "bloom-560m", "--dtype", "int5"}), 2, {"int5", "float32"});
  expect_refused(lingua({"inspect", "bloom-560m", "--rule", "dice"}), 2,
                 {"dice", "bytes", "lingualinked"});
  expect_refused(lingua({"inspect", "bloom-560m", "--max-segment-size", "5 parsecs"}), 2,
                 {"5 parsecs", "MB"});
  expect_refused(lingua({"run", tiny_model()}), 2, {"--cluster"});
  expect_refused(
      lingua({"run", tiny_model(), "--local", "--cluster", kThreePhones, "--workers", "4"}), 2,
      {"3 devices"});
  expect_refused(
      lingua({"emulate", tiny_model(), "--cluster", kThreePhones, "--prompt-tokens", "1,256"}), 2,
      {"256", "255"});
}

TEST_F(LinguaTest, RefusesModelsThatAreNotWhole) {
  const std::string broken = folder_.file("broken");
  const auto restore = [&] {
    fs::remove_all(broken);
    fs::copy(tiny_model(), broken);
  };
  const std::vector<std::string> run = {"run", broken, "--local", "--workers", "2"};
  restore();
  fs::remove(broken + "/model.safetensors");
  expect_refused(lingua(run), 3, {"broken", "weights"});
  restore();
  fs::resize_file(broken + "/model.safetensors", fs::file_size(broken + "/model.safetensors") / 2);
  expect_refused(lingua(run), 3, {"model.safetensors"});
  restore();
  fs::remove(broken + "/config.json");
  expect_refused(lingua(run), 3, {"config.json"});
  restore();
  std::ofstream(broken + "/config.json") << R"({"model_type": "bloom", "hidden_size": "many"})";
  expect_refused(lingua(run), 3, {"config.json", "hidden_size"});
  restore();
  auto config = nlohmann::json::parse(std::ifstream(tiny_model() + "/config.json"));
  config["vocab_size"] = 300;
  std::ofstream(broken + "/config.json") << config.dump();
  expect_refused(lingua(run), 3, {"word_embeddings", "300", "256"});
  config["model_type"] = "mystery";
  config["architectures"] = {"MysteryForCausalLM"};
  std::ofstream(broken + "/config.json") << config.dump();
  expect_refused(lingua(run), 3, {"ystery", "bloom"});
  expect_refused(lingua({"inspect", "bloom-999b"}), 3, {"bloom-999b", "bloom-560m", "gemma3-1b"});
  write("not.pt", "this is no TorchScript");
  expect_refused(lingua({"inspect", folder_.file("not.pt")}), 3, {"not.pt"});
}

TEST_F(LinguaTest, SaysWhatAFileIsThatIsNoModelAndWhatToDo) {
  const std::string model = folder_.file("model");
  fs::copy(tiny_model(), model);
  const std::string weights = model + "/model.safetensors";
  const std::vector<std::string> run = {"run", model, "--local", "--workers", "2"};
  expect_refused(lingua({"inspect", weights}), 3, {"safetensors", "give its folder: " + model});
  expect_refused(lingua({"inspect", folder_.file("")}), 3, {"no config.json", "give that folder"});
  fs::rename(weights, model + "/weights.safetensors");
  expect_refused(lingua(run), 3, {"weights.safetensors", "rename it to model.safetensors"});
  fs::remove(model + "/weights.safetensors");
  std::ofstream(model + "/pytorch_model.bin") << "\x80\x02}q\x01.";
  expect_refused(lingua(run), 3, {"pytorch_model.bin", "pickle", "save_pretrained"});
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 123456\n";
  std::ofstream(weights) << pointer;
  expect_refused(lingua(run), 3, {weights, "Git LFS", "123456", "git lfs pull"});
  auto config = nlohmann::json::parse(std::ifstream(model + "/config.json"));
  config["quantization_config"] = {{"quant_method", "gptq"}, {"bits", 4}};
  std::ofstream(model + "/config.json") << config.dump();
  expect_refused(lingua({"inspect", model}), 3, {"quantization_config", "'gptq'", "GGUF"});
  std::ofstream(model + "/config.json") << pointer;
  expect_refused(lingua({"inspect", model}), 3, {"config.json", "Git LFS"});
  write("page.gguf", "<!DOCTYPE html><html>sign in</html>");
  expect_refused(lingua({"inspect", folder_.file("page.gguf")}), 3, {"page.gguf", "HTML"});
}

TEST_F(LinguaTest, RefusesClustersThatMakeNoSense) {
  const auto refused = [&](const std::string& yaml, int code,
                           const std::vector<std::string>& words) {
    write("cluster.yaml", yaml);
    expect_refused(lingua({"simulate", "bloom-560m", "--cluster", folder_.file("cluster.yaml")}),
                   code, words);
  };
  const std::string phone =
      "{name: a, compute: 20 GFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GB}";
  const std::string links = "links: {default: {bandwidth: 10 MB/s, latency: 2 ms}}\n";
  refused("name: x\ndevices:\n  - " + phone + "\n  - " + phone + "\n" + links, 3,
          {"cluster.yaml", "'a'"});
  refused(
      "name: x\ndevices:\n  - {name: a, compute: 20 GFLOPS, memory_bandwidth: 10 GB/s, memory: 8 "
      "GB}\n" +
          links,
      3, {"compute", "20 GFLOPS", "GFLOP/s"});
  refused(
      "name: x\ndevices:\n  - {name: a, compute: 20 GFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 "
      "MB}\n" +
          links,
      4, {"514 MB", "8.00 MB"});
  refused("name: x\ndevices: []\n" + links, 3, {"devices"});
  refused("name: [", 3, {"cluster.yaml"});
  expect_refused(lingua({"simulate", "bloom-560m", "--cluster", folder_.file("none.yaml")}), 3,
                 {"none.yaml"});
}

TEST_F(LinguaTest, NamesTheMissingLinkOrTheDeviceWithoutAny) {
  const auto refused = [&](const std::string& devices, const std::string& between,
                           const std::vector<std::string>& words) {
    std::string yaml = "devices:\n";
    for (const char name : devices) {
      yaml += "  - {name: ";
      yaml += name;
      yaml += ", compute: 20 GFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GB}\n";
    }
    write("links.yaml", yaml + "links:\n  between:\n" + between);
    for (const char* verb : {"plan", "simulate"}) {
      expect_refused(lingua({verb, "bloom-560m", "--cluster", folder_.file("links.yaml")}), 3,
                     words);
    }
  };
  const std::string link = ", bandwidth: 10 MB/s, latency: 2 ms, both: true}\n";
  const std::string chain = "    - {from: a, to: b" + link + "    - {from: b, to: c" + link;
  refused("abc", chain, {"links.yaml: links.default: is missing", "from 'a' to 'c'"});
  refused("abcd", chain, {"links.yaml: links.between: has no link between 'd' and any other"});
}

TEST_F(LinguaTest, ALoneDeviceNeedsNoLinks) {
  write("lone.yaml",
        "devices: [{name: a, compute: 20 GFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GB}]\n");
  for (const char* verb : {"plan", "simulate"}) {
    const Outcome outcome = lingua({verb, "bloom-560m", "--cluster", folder_.file("lone.yaml")});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  }
}

TEST_F(LinguaTest, RefusesNumbersAndPinsThatMakeNoSense) {
  const auto refused = [](const std::vector<std::string>& options,
                          const std::vector<std::string>& words) {
    const std::vector<std::string> plan = {"plan", "bloom-560m", "--cluster", kThreePhones};
    expect_refused(lingua(plan + options), 2, words);
  };
  refused({"--in-flight", "0"}, {"--in-flight", "0", "1 to 100000"});
  refused({"--in-flight", "-3"}, {"--in-flight", "-3", "1 to 100000"});
  refused({"--requests", "0"}, {"--requests", "0", "1 to 1000000"});
  for (const char* seed : {"-1", "one", "1.5"}) refused({"--seed", seed}, {"--seed", seed});
  for (const char* limit : {"-1", "0", "nan", "inf", "1e300", "soon"}) {
    refused({"--plan-time-limit", limit},
            {"--plan-time-limit: '" + std::string(limit) + "' is not accepted",
             "seconds: more than 0, at most 1000000"});
  }
  expect_refused(lingua({"run", tiny_model(), "--local", "--join-timeout", "-1"}), 2,
                 {"--join-timeout: '-1' is not accepted", "more than 0"});
  expect_refused(lingua({"worker", "--coordinator", "tcp://127.0.0.1:1", "--name", "x",
                         "--join-timeout", "0"}),
                 2, {"--join-timeout: '0' is not accepted", "more than 0"});
  for (const char* pin : {"header", "tailer"}) {
    refused({"--" + std::string(pin), "oneplus-9", "--exclude", "oneplus-9"},
            {"'oneplus-9'", pin, "excluded", "one of the two"});
  }
  refused({"--header", "nobody"}, {"header 'nobody'", "xiaomi-14", "oneplus-6"});
  refused({"--exclude", "nobody"}, {"'nobody'", "three-phones"});
  refused({"--header-keeps", "0"}, {"0 segments", "write 1 to"});
  refused({"--header-keeps-last", "-1"}, {"last -1 segments", "write 0 to"});
  refused({"--header-keeps-last", "1", "--header", "oneplus-6", "--tailer", "xiaomi-14"},
          {"'oneplus-6'", "keep the last segments", "'xiaomi-14'", "one of the two"});
}

TEST_F(LinguaTest, LeavesNoHalfWrittenModel) {
  EXPECT_NE(lingua({"model", "random", "bloom:hidden=63,layers=1,heads=4,vocabulary=16", "-o",
                    folder_.file("odd")})
                .exit_code,
            0);
  EXPECT_FALSE(fs::exists(folder_.file("odd/model.safetensors")));
  expect_refused(lingua({"model", "random", "bloom-560m", "-o", tiny_model()}), 3, {tiny_model()});
  expect_refused(lingua({"simulate", "bloom-560m", "--cluster", kThreePhones, "--log",
                         "/nonexistent/log.csv"}),
                 3, {"/nonexistent/log.csv"});
}

}  // namespace
}  // namespace lingua::testing
