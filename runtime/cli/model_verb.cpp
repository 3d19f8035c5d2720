#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "runtime/base/errors.h"
#include "runtime/cli/output_paths.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/torch/random_model.h"

namespace lingua {

void add_model(CLI::App& app) {
  auto* verb = app.add_subcommand("model", "make model folders");
  verb->require_subcommand(1);
  std::string names;
  for (const std::string& name : published_models()) names += (names.empty() ? "" : ", ") + name;
  auto* random =
      verb->add_subcommand("random", "write a seeded random model in a published or custom size");
  struct ModelVerbOptions {
    RandomModelOptions model;
    std::string dtype = "bf16";
    std::string folder;
  };
  auto options = std::make_shared<ModelVerbOptions>();
  random
      ->add_option("name", options->model.name,
                   "one of " + names + ", or bloom:hidden=64,layers=4,heads=4,vocabulary=256")
      ->required();
  random->add_option("-o,--output", options->folder, "folder to make")
      ->required()
      ->type_name(kOutputFolder);
  random->add_option("--seed", options->model.seed, "of the weights")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  random->add_option("--dtype", options->dtype, "as stored: fp32 or bf16")->capture_default_str();
  random->callback([options] {
    options->model.dtype = parse_dtype(options->dtype);
    options->model.folder = options->folder;
    Progress progress("writing " + options->folder);
    write_random_model(options->model, [&](double share) { progress.update(share, 1, ""); });
  });
}

}  // namespace lingua
