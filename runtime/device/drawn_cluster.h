#pragma once
// Clusters that are drawn from the phones that were measured: as many as are asked for.
//
//   drawn:COUNT[:SEED[:WIFI]]    drawn:16  drawn:8:3  drawn:8:3:crowded
//   drawn:COUNT:seed[:WIFI]      by the seed of the request (with_seed)
//
// Each phone is one of the five of platforms/measured/phones.csv, with the memory that was measured; its speeds
// are multiplied by a factor of its own, log-normal with kSpeedSpread. WIFI is
//   good      (when none is said) every pair has 320 Mbit/s and 2 ms, and all share one access point of as much;
//   crowded   every direction of every pair has the bandwidth and half the ping of one of the twenty links of
//             platforms/measured/, drawn; the coordinator's have their medians.
// A seed's first phones, and the links between them, are the same however many are drawn, and its phones are the
// same on either Wi-Fi.
// Units: as in cluster files. Source: platforms/README.md, which says what is measured and what is assumed.
// Determinism: functions of the text; speeds are rounded as the measured ones are, which hides the last bits of
// a machine's mathematical library.
// Errors: UsageError that names the text, the field and what would be accepted.

#include <cstdint>
#include <string>
#include <string_view>

namespace lingua {

// The standard deviation of the logarithm of a drawn phone's speed over that of the measured one. Assumed: two
// of three phones are within a factor of 1.22.
inline constexpr double kSpeedSpread = 0.2;

// Whether a text begins as a specification does, and so is no name of a file.
bool is_drawn_cluster(std::string_view text);

// "drawn:8:seed" with this seed in place of its name; any other text as it is.
std::string with_seed(std::string_view text, std::uint64_t seed);

// The cluster as the YAML of a cluster file.
std::string drawn_cluster(std::string_view text);

}  // namespace lingua
