#pragma once
// The program `lingua` as its users call it, with a tiny random model of its own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/program.h"

namespace lingua::testing {

inline std::vector<std::string> lingua_command(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), LINGUA_PROGRAM);
  return arguments;
}

inline Outcome lingua(std::vector<std::string> arguments) {
  return run_program(lingua_command(std::move(arguments)));
}

inline std::vector<std::string> operator+(std::vector<std::string> a,
                                          const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// One line on standard error that starts with "lingua: " and ends the program with `code`.
inline void expect_refused(const Outcome& outcome, int code,
                           const std::vector<std::string>& words) {
  EXPECT_EQ(outcome.exit_code, code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  const auto at = outcome.err.rfind("lingua: ");
  ASSERT_NE(at, std::string::npos) << outcome.err;
  const std::string line = outcome.err.substr(at);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  EXPECT_LT(line.size(), 600U) << line;
  for (const std::string& word : words) EXPECT_THAT(line, ::testing::HasSubstr(word));
}

inline const std::string kThreePhones = std::string(LINGUA_SOURCE) + "/platforms/three-phones.yaml";

// The commands of the README that call the program, without those that need a file of the reader's
// own ("my-").
inline std::vector<std::string> readme_commands() {
  std::ifstream readme(std::string(LINGUA_SOURCE) + "/README.md");
  std::vector<std::string> commands;
  for (std::string line; std::getline(readme, line);) {
    if (line.starts_with("$lingua ") && line.find("my-") == std::string::npos)
      commands.push_back(line);
  }
  return commands;
}

// As a reader would, in the repository, with one line to say on standard input.
inline Outcome run_readme_command(const std::string& command, const std::string& model) {
  return run_program({"sh", "-c",
                      "cd '" LINGUA_SOURCE "' && lingua='" LINGUA_PROGRAM "' && model='" + model +
                          "' && echo Hello | " + command});
}

class LinguaTest : public ::testing::Test {
 protected:
  // What is kept from run to run goes with the test; models that were fetched are where they were.
  LinguaTest() {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    const std::string root = cache != nullptr ? cache : std::string(home ? home : "") + "/.cache";
    ::setenv("LINGUA_MODELS", (root + "/lingua/models").c_str(), 0);
    ::setenv("XDG_CACHE_HOME", cache_.path().c_str(), 1);
  }

  // A random model, made once per process.
  static const std::string& tiny_model() {
    static TemporaryFolder folder;
    static const std::string path = [] {
      const std::string made = folder.file("tiny");
      const Outcome outcome =
          lingua({"model", "random", "bloom:hidden=64,layers=4,heads=4,vocabulary=256", "--seed",
                  "3", "-o", made});
      if (outcome.exit_code != 0) throw std::runtime_error(outcome.err);
      return made;
    }();
    return path;
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.file(name)) << text;
  }

  TemporaryFolder folder_;
  TemporaryFolder cache_;
};

}  // namespace lingua::testing
