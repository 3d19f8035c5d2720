#include "runtime/app/link_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "runtime/base/errors.h"
#include "runtime/base/units.h"
#include "runtime/trust/key_folder.h"

namespace lingua {
namespace {

KeyPair own_key(const KeyFolder& folder, const Audience& audience) {
  bool made = false;
  const KeyPair pair = folder.own_key(&made);
  if (made) {
    audience.tell("lingua: made this machine a key: {} ({})\n", pair.public_key.fingerprint(),
                  folder.key_file().string());
  }
  return pair;
}

// As in a shell, where it is needed.
std::string quoted(const std::string& word) {
  const bool plain = std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (plain && !word.empty()) return word;
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

[[noreturn]] void refuse_other_key(const std::string& address, const PublicKey& now,
                                   const PublicKey& before, const KeyFolder& folder) {
  throw WorldError(
      fmt::format("the coordinator at {} has another key than the last time: {}, not {}. Either it "
                  "made itself a new "
                  "one or somebody else pretends to be it; if it is meant, write: lingua keys "
                  "forget {} (known in {})",
                  address, now.fingerprint(), before.fingerprint(), address,
                  folder.known_coordinators().string()));
}

}  // namespace

void visit_links(LinkOptions& options, SettingVisitor& visitor) {
  visitor.take(
      Setting("keys", &options.keys,
              "folder of this machine's key and of those it knows (default: ~/.config/lingua)")
          .called(kOutputFolder));
  visitor.take({"insecure", &options.insecure,
                "no keys: whoever reaches the network can read and forge everything"});
}

void visit_loss(double& loss_timeout_s, SettingVisitor& visitor) {
  visitor.take(
      Setting("loss-timeout", &loss_timeout_s,
              "seconds without a sign of life after which another machine is taken for lost")
          .in(0.2, 1e6));
}

void tell_insecure(const Audience& audience) {
  audience.tell(
      "lingua: `insecure`: whoever reaches this network can read and forge all that is sent\n");
}

void check_insecure_address(const std::string& listen) {
  if (!listens_everywhere(listen)) return;
  throw UsageError(
      fmt::format("`listen` {}: without keys an address of this machine has to be written out, as "
                  "tcp://192.168.1.5:5555",
                  listen));
}

std::string random_secret() {
  return make_key_pair().public_key.text();  // as good as any 32 random bytes
}

std::shared_ptr<Admission> make_admission(const LinkOptions& options, const Audience& audience) {
  const KeyFolder folder(options.keys);
  return std::make_shared<Admission>(own_key(folder, audience), folder.known_devices());
}

void tell_how_to_join(const Admission& admission, const std::vector<DeviceName>& names,
                      const std::string& address, Seconds valid_for, const Audience& audience) {
  constexpr int kMostPictures = 4;
  int pictures = kMostPictures;
  audience.tell("waiting for {} workers at {} (this machine's key: {})\n", names.size(), address,
                admission.self().public_key.fingerprint());
  for (const DeviceName& name : names) {
    if (admission.knows(name)) {
      const JoinLine line{address, name, admission.self().public_key, ""};
      audience.tell(
          "  {}, known: lingua worker --coordinator {} --name {}; where that does not know this "
          "machine: "
          "--join {}\n",
          name, address, quoted(name), line.text());
      continue;
    }
    const auto time =
        std::chrono::ceil<std::chrono::seconds>(std::min(valid_for, Seconds(365.0 * 86400)));
    const JoinLine line{address, name, admission.self().public_key, admission.invite(name, time)};
    audience.tell("  {}, new, within {}: lingua worker --join {}\n", name,
                  format_quantity(static_cast<double>(time.count()), Unit::kSeconds), line.text());
    if (pictures-- > 0 && audience.picture) audience.picture(line.text());
  }
}

void fill_links(const LinkOptions& options, const std::string& join_line, const Audience& audience,
                NetWorkerOptions* worker) {
  if (options.insecure) {
    if (!join_line.empty()) throw UsageError("`join` has keys; leave out `insecure`");
    const char* secret = std::getenv(kRunSecret);
    if (secret != nullptr) worker->token = secret;
    return;
  }
  const KeyFolder folder(options.keys);
  const KnownKeys known(folder.known_coordinators());
  if (join_line.empty()) {
    worker->coordinator_key = known.find(worker->coordinator);
    if (!worker->coordinator_key) {
      throw UsageError(
          fmt::format("the coordinator at {} is not known here; join it once by the line that it "
                      "prints (lingua worker --join LINE), or without keys (`insecure`)",
                      worker->coordinator));
    }
  } else {
    const JoinLine line = parse_join_line(join_line);
    const auto before = known.find(line.address);
    if (before && *before != line.coordinator) {
      refuse_other_key(line.address, line.coordinator, *before, folder);
    }
    worker->coordinator = line.address;
    worker->spec.name = line.device;
    worker->coordinator_key = line.coordinator;
    worker->token = line.token;
  }
  worker->net.key = own_key(folder, audience);
}

void remember_coordinator(const LinkOptions& options, const NetWorkerOptions& worker,
                          const Audience& audience) {
  if (!worker.coordinator_key) return;
  try {
    KnownKeys known(KeyFolder(options.keys).known_coordinators());
    if (!known.find(worker.coordinator)) known.add(worker.coordinator, *worker.coordinator_key);
  } catch (const InputError& error) {
    audience.tell("lingua: this coordinator is not remembered: {}\n", error.what());
  }
}

}  // namespace lingua
