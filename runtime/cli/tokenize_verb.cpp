#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/text/tokenizer.h"

namespace lingua {
namespace {

struct TokenizeVerbOptions {
  std::string model;
  std::string text;
  std::string file;
  bool plain = false;
  bool json = false;
};

void run(const TokenizeVerbOptions& options) {
  if (options.text.empty() == options.file.empty()) {
    throw UsageError("tokenize takes --text or a file; write one of them");
  }
  const std::string text = options.file.empty() ? options.text : read_file(options.file);
  check_utf8(text, options.file.empty() ? "--text" : options.file);
  const auto tokenizer = load_tokenizer(options.model);
  const std::vector<TokenId> ids = tokenizer->encode(text, !options.plain, !options.plain);
  if (options.json) {
    show(nlohmann::json{{"ids", ids}}.dump() + "\n");
  } else {
    show(fmt::format("{}\n", fmt::join(ids, ",")));
  }
}

}  // namespace

void add_tokenize(CLI::App& app) {
  auto* verb = app.add_subcommand("tokenize", "show the token ids of a text");
  auto options = std::make_shared<TokenizeVerbOptions>();
  verb->add_option("--model", options->model, "model folder or GGUF file with a tokenizer")
      ->required();
  verb->add_option("--text", options->text, "the text");
  verb->add_option("file", options->file, "or a file that is the text");
  verb->add_flag("--plain", options->plain,
                 "add nothing around the text, and take special tokens in it for text");
  verb->add_flag("--json", options->json, "print JSON");
  verb->callback([options] { run(*options); });
}

}  // namespace lingua
