// `lingua completion`, which people do not see: what `cmake --install` installs beside the program.

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "runtime/app/version.h"
#include "runtime/cli/shell_files.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"

namespace lingua {

void add_completion(CLI::App& app) {
  auto* verb = app.add_subcommand("completion", "completion for shells, and the manual page");
  verb->group("");
  verb->require_subcommand(1);
  verb->add_subcommand("bash", "a script to source")->callback([&app] {
    show(bash_completion(verbs_of(app)));
  });
  verb->add_subcommand("man", "the manual page")->callback([&app] {
    const ProgramVersion& version = program_version();
    show(manual_page(verbs_of(app), fmt::format("lingua {}", version.number), version.commit_date,
                     app.get_footer()));
  });
}

}  // namespace lingua
