#include "runtime/device/drawn_cluster.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/random.h"

namespace lingua {
namespace {

constexpr std::string_view kPrefix = "drawn:";
constexpr std::string_view kForm = "drawn:COUNT[:SEED[:WIFI]], as in drawn:16 or drawn:8:3:crowded";
constexpr std::uint64_t kMostPhones = 1000;
constexpr std::uint64_t kMostCrowded = 100;  // each has a link to each

struct Phone {
  const char* kind;
  double compute_mflops;  // phones.csv
  double memory_mb;       // phones.csv
  double memory_gb_per_s;
  double power_w;
  double battery_wh;
};
constexpr std::array kPhones = {
    Phone{"iqoo-z5", 17128.238928, 2146.2, 15.9, 2.2, 19.25},
    Phone{"xiaomi-14", 52008.456659, 7867.3, 47.6, 3.0, 17.75},
    Phone{"iqoo-z6x", 22955.103793, 1964.2, 10.6, 2.2, 23.10},
    Phone{"oneplus-9", 34432.655689, 2522.8, 31.7, 3.0, 17.33},
    Phone{"oneplus-6", 18917.814128, 3696.0, 18.5, 2.6, 12.71},
};

// phones_bandwidth_MBps.csv and phones_ping_ms.csv, row by row.
struct Link {
  double mb_per_s;
  double ping_ms;
};
constexpr std::array kLinks = {
    Link{1.666, 34.866},  Link{1.814, 17.796}, Link{2.567, 76.512}, Link{4.907, 30.985},
    Link{0.313, 32.570},  Link{1.201, 27.257}, Link{0.575, 79.517}, Link{0.590, 18.823},
    Link{0.995, 108.798}, Link{2.726, 65.485}, Link{0.333, 64.679}, Link{0.496, 43.849},
    Link{0.772, 206.233}, Link{1.025, 28.255}, Link{1.168, 34.938}, Link{1.210, 29.090},
    Link{2.744, 21.318},  Link{1.764, 34.842}, Link{1.543, 19.245}, Link{3.170, 42.098},
};

struct Wanted {
  std::uint64_t count = 0;
  std::uint64_t seed = 1;
  bool crowded = false;
};

[[noreturn]] void refuse(std::string_view text, const std::string& why) {
  throw UsageError(fmt::format("'{}': {}; write {}", one_line(text, 80), why, kForm));
}

std::vector<std::string_view> fields_of(std::string_view text) {
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t end = text.find(':');
    fields.push_back(text.substr(0, end));
    if (end == text.npos) return fields;
    text.remove_prefix(end + 1);
  }
}

Wanted wanted_of(std::string_view text) {
  const std::vector<std::string_view> fields = fields_of(text.substr(kPrefix.size()));
  const auto whole = [&](const char* name, std::string_view field) {
    std::uint64_t value = 0;
    const auto [rest, failed] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (failed != std::errc() || rest != field.data() + field.size())
      refuse(text, fmt::format("{} '{}' is no whole number", name, one_line(field, 40)));
    return value;
  };
  Wanted wanted;
  if (fields.size() > 3) refuse(text, "has too many fields");
  wanted.count = whole("COUNT", fields[0]);
  if (fields.size() > 1) wanted.seed = whole("SEED", fields[1]);
  if (fields.size() > 2) {
    wanted.crowded = fields[2] == "crowded";
    if (!wanted.crowded && fields[2] != "good")
      refuse(text, fmt::format("WIFI '{}' is neither good nor crowded", one_line(fields[2], 40)));
  }
  const std::uint64_t most = wanted.crowded ? kMostCrowded : kMostPhones;
  if (wanted.count < 1 || wanted.count > most)
    refuse(text, fmt::format("COUNT is from 1 to {} on {} Wi-Fi", most,
                             wanted.crowded ? "crowded" : "good"));
  return wanted;
}

std::string drawn_devices(const Wanted& wanted, std::vector<std::string>& names) {
  Rng rng(wanted.seed);
  std::string text = "devices:\n";
  for (std::uint64_t i = 1; i <= wanted.count; ++i) {
    const Phone& phone = kPhones[rng.below(kPhones.size())];
    const double factor = std::exp(kSpeedSpread * rng.normal());
    names.push_back(fmt::format("{}-{}", phone.kind, i));
    text += fmt::format(
        "  - {{name: {}, compute: {:.0f} MFLOP/s, memory_bandwidth: {:.0f} MB/s, memory: {} MB, "
        "cores: 8, power: {} W, battery: {} Wh}}\n",
        names.back(), phone.compute_mflops * factor, phone.memory_gb_per_s * 1e3 * factor,
        phone.memory_mb, phone.power_w, phone.battery_wh);
  }
  return text;
}

std::string drawn_links(const Wanted& wanted, const std::vector<std::string>& names) {
  std::string text = "links:\n  power: 440 mW\n";
  if (!wanted.crowded) {
    return text +
           "  default: {bandwidth: 320 Mbit/s, latency: 2 ms}\n"
           "medium: {bandwidth: 320 Mbit/s}\n";
  }
  text += "  default: {bandwidth: 1.21 MB/s, latency: 17.4 ms}\n  between:\n";
  Rng rng(~wanted.seed);
  const auto add = [&](const std::string& from, const std::string& to) {
    const Link& link = kLinks[rng.below(kLinks.size())];
    text += fmt::format("    - {{from: {}, to: {}, bandwidth: {} MB/s, latency: {:.4f} ms}}\n",
                        from, to, link.mb_per_s, link.ping_ms / 2);
  };
  for (std::size_t late = 1; late < names.size(); ++late) {
    for (std::size_t early = 0; early < late; ++early) {
      add(names[early], names[late]);
      add(names[late], names[early]);
    }
  }
  return names.size() > 1 ? text : text + "    []\n";
}

}  // namespace

bool is_drawn_cluster(std::string_view text) { return text.starts_with(kPrefix); }

std::string with_seed(std::string_view text, std::uint64_t seed) {
  constexpr std::string_view kName = ":seed";
  const auto at = text.find(kName);
  const auto end = at + kName.size();
  if (!is_drawn_cluster(text) || at == text.npos || (end < text.size() && text[end] != ':'))
    return std::string(text);
  return fmt::format("{}:{}{}", text.substr(0, at), seed, text.substr(end));
}

std::string drawn_cluster(std::string_view text) {
  LINGUA_CHECK(is_drawn_cluster(text), "{}", text);
  const Wanted wanted = wanted_of(text);
  const char* wifi = wanted.crowded ? "crowded" : "good";
  std::vector<std::string> names;
  const std::string devices = drawn_devices(wanted, names);
  return fmt::format(
             "name: drawn-{}-{}-{}\n"
             "source: drawn by seed from platforms/measured, speeds spread by {} "
             "(platforms/README.md)\n",
             wanted.count, wanted.seed, wifi, kSpeedSpread) +
         devices + drawn_links(wanted, names);
}

}  // namespace lingua
