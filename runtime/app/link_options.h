#pragma once
// How the links of a real run are secured.
//
// Errors: InputError for keys and join lines, UsageError for options that contradict.

#include <memory>
#include <string>
#include <vector>

#include "runtime/app/audience.h"
#include "runtime/app/setting.h"
#include "runtime/net/net_device.h"

namespace lingua {

struct LinkOptions {
  bool insecure = false;
  std::string keys;  // folder; empty: the user's own
};

void visit_links(LinkOptions& options, SettingVisitor& visitor);
// Of coordinators and workers: after how long another is taken for lost.
void visit_loss(double& loss_timeout_s, SettingVisitor& visitor);

// The coordinator's key, and whom it lets in.
std::shared_ptr<Admission> make_admission(const LinkOptions& options, const Audience& audience);

// What the user does on each device: known ones join as they did before, others by a join line, of which the first
// few may be pictures too.
void tell_how_to_join(const Admission& admission, const std::vector<DeviceName>& names,
                      const std::string& address, Seconds valid_for, const Audience& audience);

// The worker's side: fills coordinator, name, keys and token from a join line, or from the address and
// name of one that is known. `join_line` is empty where there is none.
void fill_links(const LinkOptions& options, const std::string& join_line, const Audience& audience,
                NetWorkerOptions* worker);
// It has been taken in by this coordinator. Where that cannot be written it says so.
void remember_coordinator(const LinkOptions& options, const NetWorkerOptions& worker,
                          const Audience& audience);

// Without keys: one line that says what that means, and no listening on all interfaces.
void tell_insecure(const Audience& audience);
void check_insecure_address(const std::string& listen);

// The one argument of a local worker's process that is told its own later (LocalProcesses::start_ahead).
inline constexpr const char* kAwaitsArguments = "--await-arguments";

// How a local worker, which has no key, is told what its run's coordinator asks for.
inline constexpr const char* kRunSecret = "LINGUA_RUN_SECRET";
std::string random_secret();

}  // namespace lingua
