#include "runtime/cli/output_paths.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <system_error>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/output_file.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

struct Given {
  std::string option;
  std::string path;
};

std::vector<Given> paths_of(const CLI::App& verb, const char* type) {
  std::vector<Given> all;
  for (const CLI::Option* option : verb.get_options()) {
    if (option->get_type_name() != type) continue;
    for (const std::string& value : option->results())
      all.push_back({option->get_name(false, false), value});
  }
  return all;
}

bool is_regular(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// The path of an input that may be written as NAME=PATH.
fs::path input_path(const std::string& value) {
  std::error_code ignored;
  const std::size_t equals = value.find('=');
  if (equals == std::string::npos || fs::exists(value, ignored)) return value;
  return value.substr(equals + 1);
}

// A folder that stands or can be made.
void check_output_folder(const fs::path& folder) {
  std::error_code error;
  fs::path above = fs::absolute(folder, error);
  while (!fs::exists(above, error) && above.has_relative_path()) above = above.parent_path();
  if (!fs::is_directory(above, error)) {
    throw InputError(
        fmt::format("{}: cannot be made: {} is no folder", folder.string(), above.string()));
  }
  if (::access(above.c_str(), W_OK | X_OK) != 0) {
    throw InputError(fmt::format("{}: cannot be made: {}: {}", folder.string(), above.string(),
                                 std::strerror(errno)));
  }
}

// Whether writing `output` would change what `input` names: the file, or a file of the folder.
bool would_replace(const fs::path& output, const fs::path& input) {
  std::error_code ignored;
  if (!is_regular(output)) return false;
  if (fs::equivalent(output, input, ignored)) return true;
  return fs::is_directory(input, ignored) && fs::equivalent(output.parent_path(), input, ignored);
}

}  // namespace

void check_paths(const CLI::App& verb) {
  for (const Given& folder : paths_of(verb, kOutputFolder)) {
    if (folder.path.empty()) throw UsageError(fmt::format("{}: an empty path", folder.option));
    check_output_folder(folder.path);
  }
  const std::vector<Given> inputs = paths_of(verb, kInputPath);
  std::map<fs::path, std::string> taken;
  for (const Given& output : paths_of(verb, kOutputFile)) {
    if (output.path.empty()) throw UsageError(fmt::format("{}: an empty path", output.option));
    try {
      check_output_file(output.path);
    } catch (const InputError& error) {
      throw InputError(fmt::format("{} {}", output.option, error.what()));
    }
    const fs::path target = output_target(output.path);
    std::error_code ignored;
    if (fs::exists(target, ignored) && !is_regular(target)) continue;  // takes more than one
    const auto [place, is_new] = taken.emplace(target, output.option);
    if (!is_new) {
      throw UsageError(fmt::format("{} {}: is the file of {} too; give each its own", output.option,
                                   output.path, place->second));
    }
    for (const Given& input : inputs) {
      if (!would_replace(target, input_path(input.path))) continue;
      throw UsageError(fmt::format("{} {}: would replace what {} reads; name another file",
                                   output.option, output.path, input.option));
    }
  }
}

void check_paths_of_all_verbs(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands([](CLI::App*) { return true; })) {
    verb->parse_complete_callback([verb] { check_paths(*verb); });
    check_paths_of_all_verbs(*verb);
  }
}

}  // namespace lingua
