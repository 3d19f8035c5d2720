#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/cli/terminal.h"
#include "runtime/cli/verbs.h"
#include "runtime/trust/key_folder.h"
#include "runtime/trust/known_keys.h"

namespace lingua {
namespace {

struct KeysVerbOptions {
  std::string folder;
  std::string name;
  bool replace = false;
  bool json = false;
};

nlohmann::json as_json(const KnownKeys& known, const char* what) {
  nlohmann::json all = nlohmann::json::array();
  for (const auto& [name, key] : known.names()) {
    all.push_back({{what, name}, {"public_key", key.text()}, {"fingerprint", key.fingerprint()}});
  }
  return all;
}

void show(const KeysVerbOptions& options) {
  const KeyFolder folder(options.folder);
  const KnownKeys devices(folder.known_devices());
  const KnownKeys coordinators(folder.known_coordinators());
  std::optional<PublicKey> own;
  if (folder.has_key()) own = read_key_file(folder.key_file()).public_key;
  if (options.json) {
    nlohmann::json json = {{"key_file", folder.key_file().string()},
                           {"public_key", nullptr},
                           {"devices", as_json(devices, "name")},
                           {"coordinators", as_json(coordinators, "address")},
                           {"revoked", nlohmann::json::array()}};
    if (own) json["public_key"] = own->text();
    for (const KnownKeys::Revoked& one : devices.revoked()) {
      json["revoked"].push_back({{"name", one.name}, {"public_key", one.key.text()}});
    }
    fmt::print("{}\n", json.dump(2));
    return;
  }
  const auto row = [](const std::string& who, const PublicKey& key, const std::string& what) {
    fmt::print("{:24} {}  {}\n", one_line(who), key.fingerprint(), what);
  };
  if (own) {
    row("this machine", *own, folder.key_file().string());
  } else {
    fmt::print(
        "this machine has no key yet; the first run over a network makes one, or `lingua keys "
        "new`\n");
  }
  for (const auto& [name, key] : devices.names()) row(name, key, "device");
  for (const auto& [address, key] : coordinators.names()) row(address, key, "coordinator");
  for (const KnownKeys::Revoked& one : devices.revoked()) row(one.name, one.key, "revoked");
}

void make_new(const KeysVerbOptions& options) {
  const KeyFolder folder(options.folder);
  if (folder.has_key() && !options.replace) {
    throw UsageError(fmt::format(
        "{} is there already; --replace makes another one, which all others take for a stranger's",
        folder.key_file().string()));
  }
  const KeyPair pair = options.replace ? folder.replace_key() : folder.own_key();
  fmt::print("{}  {}\n", pair.public_key.fingerprint(), folder.key_file().string());
}

std::string known_names(const KnownKeys& known) {
  std::string names;
  for (const auto& [name, key] : known.names()) {
    names += (names.empty() ? "" : ", ") + one_line(name);
  }
  return names.empty() ? "none" : names;
}

void revoke(const KeysVerbOptions& options) {
  KnownKeys devices(KeyFolder(options.folder).known_devices());
  if (!devices.revoke(options.name, std::chrono::system_clock::now())) {
    throw UsageError(fmt::format("{}: no device '{}' is known; known are: {}",
                                 devices.file().string(), one_line(options.name),
                                 known_names(devices)));
  }
  tell("lingua: {} needs a new key and a new join line from now on\n", options.name);
}

void forget(const KeysVerbOptions& options) {
  KnownKeys coordinators(KeyFolder(options.folder).known_coordinators());
  if (!coordinators.forget(options.name)) {
    throw UsageError(fmt::format("{}: no coordinator '{}' is known; known are: {}",
                                 coordinators.file().string(), one_line(options.name),
                                 known_names(coordinators)));
  }
  tell("lingua: {} needs a join line the next time\n", options.name);
}

}  // namespace

void add_keys(CLI::App& app) {
  auto* verb = app.add_subcommand(
      "keys", "this machine's key, and the devices and coordinators whose keys it knows");
  auto options = std::make_shared<KeysVerbOptions>();
  verb->add_option("--keys", options->folder, "where they stand (default: ~/.config/lingua)")
      ->type_name("FOLDER");
  verb->add_flag("--json", options->json, "as JSON");
  verb->require_subcommand(0, 1);
  verb->callback([verb, options] {
    if (verb->get_subcommands().empty()) show(*options);
  });

  auto* make =
      verb->add_subcommand("new", "make this machine a key; it is made by itself when needed");
  make->add_flag("--replace", options->replace, "another one in place of what is there");
  make->callback([options] { make_new(*options); });
  auto* out = verb->add_subcommand(
      "revoke",
      "a device's key is never taken again; its name is free for another, by a join line");
  out->add_option("NAME", options->name, "the device")->required();
  out->callback([options] { revoke(*options); });
  auto* away = verb->add_subcommand(
      "forget", "a coordinator that has a new key is taken for a new one, by a join line");
  away->add_option("ADDRESS", options->name, "tcp://HOST:PORT")->required();
  away->callback([options] { forget(*options); });
}

}  // namespace lingua
