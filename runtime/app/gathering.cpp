#include "runtime/app/gathering.h"

#include <fmt/format.h>

#include <cstdlib>

#include "runtime/app/machine.h"
#include "runtime/base/errors.h"

namespace lingua {
namespace {

// Local workers are reached over loopback only, and nobody else listens there for them.
bool is_secured(const RealOptions& options) { return !options.local && !options.links.insecure; }

std::string listen_address(const RealOptions& options) {
  if (options.listen.empty()) {
    if (options.local) return "tcp://127.0.0.1:*";
    return is_secured(options) ? "tcp://*:5555" : "tcp://127.0.0.1:5555";
  }
  if (options.local && !options.links.insecure && !listens_on_loopback(options.listen)) {
    throw UsageError(fmt::format(
        "`listen` {}: the workers of `local` are reached over loopback; leave one of the two out",
        options.listen));
  }
  if (!is_secured(options)) check_insecure_address(options.listen);
  return options.listen;
}

}  // namespace

NetOptions coordinator_net(const RealOptions& options, const Audience& audience) {
  NetOptions net;
  net.listen = listen_address(options);
  if (is_secured(options)) {
    net.admission = make_admission(options.links, audience);
    net.key = net.admission->self();
  }
  net.join_timeout = Seconds(options.join_timeout_s);
  net.loss_timeout = Seconds(options.loss_timeout_s);
  net.say = [audience](const std::string& line) { audience.tell("lingua: {}\n", line); };
  if (options.local) {
    net.secret = options.secret.empty() ? random_secret() : options.secret;
    setenv(kRunSecret, net.secret.c_str(), 1);
  }
  return net;
}

void tell_to_join(const NetOptions& net, const std::vector<DeviceName>& names,
                  const std::string& address, Seconds valid_for, const Audience& audience) {
  if (net.admission) {
    tell_how_to_join(*net.admission, names, address, valid_for, audience);
    return;
  }
  tell_insecure(audience);
  audience.tell("waiting for {} workers at {}\n", names.size(), address);
}

LocalProcess local_worker(const DeviceName& name, const std::string& address,
                          double loss_timeout_s) {
  LocalProcess worker;
  worker.name = name;
  worker.argv = {this_program(),   "worker",
                 "--coordinator",  address,
                 "--name",         name,
                 "--listen",       "tcp://127.0.0.1:*",
                 "--insecure",     "--once",
                 "--weight-cache", "off",
                 "--loss-timeout", fmt::format("{}", loss_timeout_s)};
  return worker;
}

}  // namespace lingua
