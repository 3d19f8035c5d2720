#pragma once
// `run` and `chat` as clients of a service (--connect URL): the model is there, and the options of a
// request are all that counts here.
//
// Errors: UsageError for options that mean nothing there; those of ApiClient.

#include <string>
#include <vector>

#include "runtime/app/options.h"
#include "runtime/device/message.h"

namespace CLI {
class App;
}

namespace lingua {

struct ConnectOptions {
  std::string url;  // empty: not asked for
  std::string api_key_file;
};

// Declares both, and lets --model be left out.
void add_connect_options(CLI::App& verb, ConnectOptions& options);
// Once they are parsed: the model is there without --connect; with it no option but `meaning`.
void check_connect_options(const CLI::App& verb, const ConnectOptions& options,
                           const std::vector<std::string>& meaning);

void run_connected(const ConnectOptions& options, const WorkloadOptions& workload,
                   const TextOptions& text, bool json);
void chat_connected(const ConnectOptions& options, const WorkloadOptions& workload,
                    const TextOptions& text, bool json);

}  // namespace lingua
