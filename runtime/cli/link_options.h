#pragma once
// How the links of a real run are secured, as the command line says it.
//
// Errors: InputError for keys and join lines, UsageError for options that contradict.

#include <memory>
#include <string>
#include <vector>

#include "runtime/net/net_device.h"

namespace CLI {
class App;
}

namespace lingua {

struct LinkOptions {
  bool insecure = false;
  std::string keys;  // folder; empty: the user's own
};

void add_link_options(CLI::App& app, LinkOptions& options);

// The coordinator's key, and whom it lets in.
std::shared_ptr<Admission> make_admission(const LinkOptions& options);

// What the user does on each device, on standard error: known ones as they joined before, others by a
// join line, with a picture of it on a terminal.
void tell_how_to_join(const Admission& admission, const std::vector<DeviceName>& names,
                      const std::string& address, Seconds valid_for);

// The worker's side: fills coordinator, name, keys and token from a join line, or from the address and
// name of one that is known. `join_line` is empty where there is none.
void fill_links(const LinkOptions& options, const std::string& join_line, NetWorkerOptions* worker);
// It has been taken in by this coordinator. Where that cannot be written it says so.
void remember_coordinator(const LinkOptions& options, const NetWorkerOptions& worker);

// Without keys: one line that says what that means, and no listening on all interfaces.
void tell_insecure();
void check_insecure_address(const std::string& listen);

// How a local worker, which has no key, is told what its run's coordinator asks for.
inline constexpr const char* kRunSecret = "LINGUA_RUN_SECRET";
std::string random_secret();

}  // namespace lingua
