#include "runtime/device/spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"

namespace lingua {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

using ::testing::StartsWith;

const std::string kDevice = "compute: 20 GFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GB";
const std::string kLinks = "links: {default: {bandwidth: 40 MB/s, latency: 2 ms}}\n";

// A cluster of the given devices ("- {...}" lines) and further top-level lines.
std::string cluster(const std::string& devices, const std::string& rest = kLinks) {
  return "name: test\nsource: here\ndevices:\n" + devices + rest;
}

std::string device(const std::string& fields) { return "  - {" + fields + "}\n"; }

const std::string kTwo = device("name: a, " + kDevice) + device("name: b, " + kDevice);

// What is said of a file that must be refused; it is one line and starts with the file's name.
std::string refusal(const std::string& yaml) {
  try {
    parse_cluster(yaml, "x.yaml");
  } catch (const InputError& error) {
    const std::string what = error.what();
    EXPECT_THAT(what, StartsWith("x.yaml: "));
    EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    EXPECT_LT(what.size(), 500u) << what;
    return what;
  }
  ADD_FAILURE() << "accepted:\n" << yaml;
  return "";
}

TEST(ClusterFile, GivesEveryNumberInBaseUnits) {
  const ClusterSpec spec = parse_cluster(
      "name: office\nsource: measured\nheader: b\n"
      "devices:\n"
      "  - {name: a, compute: 20 GFLOP/s, memory_bandwidth: 10 GB/s, memory: 8 GiB, cores: 6,"
      " overhead: 20 us, source: bench}\n"
      "  - {name: b, compute: 5e9 FLOP/s, memory_bandwidth: 80 Gbit/s, memory: 500 MB}\n"
      "links:\n"
      "  default: {bandwidth: 320 Mbit/s, latency: 2 ms}\n"
      "  between: [{from: a, to: b, bandwidth: 1 MB/s, latency: 0 s}]\n"
      "medium: {bandwidth: 100 MB/s}\n",
      "x.yaml");
  EXPECT_EQ(spec.name, "office");
  EXPECT_EQ(spec.source, "measured");
  EXPECT_EQ(spec.header, "b");
  ASSERT_EQ(spec.devices.size(), 2u);
  EXPECT_DOUBLE_EQ(spec.device("a").flops_per_s, 20e9);
  EXPECT_DOUBLE_EQ(spec.device("a").memory_bytes_per_s, 10e9);
  EXPECT_DOUBLE_EQ(spec.device("a").memory_bytes, 8.0 * 1024 * 1024 * 1024);
  EXPECT_EQ(spec.device("a").cores, 6);
  EXPECT_DOUBLE_EQ(spec.device("a").overhead.count(), 20e-6);
  EXPECT_DOUBLE_EQ(spec.device("b").memory_bytes_per_s, 10e9);
  EXPECT_EQ(spec.device("b").cores, 1);
  EXPECT_EQ(spec.index_of("b"), 1);
  EXPECT_EQ(spec.index_of("c"), -1);
  EXPECT_DOUBLE_EQ(spec.link("b", "a").bytes_per_s, 40e6);
  EXPECT_DOUBLE_EQ(spec.link("a", "b").bytes_per_s, 1e6);
  EXPECT_DOUBLE_EQ(spec.link("a", "b").latency.count(), 0);
  EXPECT_DOUBLE_EQ(spec.link(kCoordinator, "a").latency.count(), 2e-3);
  EXPECT_DOUBLE_EQ(spec.shared_bytes_per_s, 100e6);
}

TEST(ClusterFile, GivesPowerBatteryAndCharge) {
  const ClusterSpec spec = parse_cluster(
      cluster(device("name: a, power: 3 W, battery: 17 Wh, charge: 65 %, " + kDevice) +
                  device("name: b, count: 2, power: 900 mW, battery: 60 kJ, " + kDevice),
              "links: {power: 440 mW, default: {bandwidth: 1 MB/s, latency: 1 ms}}\n"),
      "x.yaml");
  EXPECT_DOUBLE_EQ(spec.device("a").power_w, 3);
  EXPECT_DOUBLE_EQ(spec.device("a").battery_j, 61200);
  EXPECT_DOUBLE_EQ(spec.device("a").charge, 0.65);
  EXPECT_DOUBLE_EQ(spec.device("b-2").power_w, 0.9);
  EXPECT_DOUBLE_EQ(spec.device("b-2").battery_j, 60e3);
  EXPECT_EQ(spec.device("b-2").charge, 1);
  EXPECT_DOUBLE_EQ(spec.radio_power_w, 0.44);
}

TEST(ClusterFile, PowerAndBatteryAreNotKnownWhenNotGiven) {
  const ClusterSpec spec = parse_cluster(cluster(kTwo), "x.yaml");
  EXPECT_EQ(spec.device("a").power_w, 0);
  EXPECT_EQ(spec.device("a").battery_j, 0);
  EXPECT_EQ(spec.device("a").charge, 1);
  EXPECT_EQ(spec.radio_power_w, 0);
}

TEST(ClusterFile, SaysHowFastADeviceIsWithWeightsOfOtherDTypes) {
  const ClusterSpec spec = parse_cluster(
      cluster(device("name: a, " + kDevice +
                     ", by_dtype: {bf16: {compute: 30 GFLOP/s, memory_bandwidth: 11 GB/s}}") +
              device("name: b, " + kDevice)),
      "x.yaml");
  EXPECT_EQ(spec.device("a").flops_per_s, 20e9);
  const ClusterSpec bf16 = spec.in_dtype(DType::kBFloat16);
  EXPECT_EQ(bf16.device("a").flops_per_s, 30e9);
  EXPECT_EQ(bf16.device("a").memory_bytes_per_s, 11e9);
  EXPECT_EQ(bf16.device("a").memory_bytes, 8e9);
  EXPECT_TRUE(bf16.device("a").by_dtype.empty());
  EXPECT_EQ(bf16.device("b").flops_per_s, 20e9) << "nothing else is known";
  EXPECT_EQ(spec.in_dtype(DType::kInt8).device("a").flops_per_s, 20e9);
}

TEST(ClusterFileErrors, NameTheDTypesThatHaveSpeedsOfTheirOwn) {
  const auto refused = [](const std::string& by_dtype) {
    return refusal(cluster(device("name: a, " + kDevice + ", by_dtype: " + by_dtype)));
  };
  EXPECT_THAT(refused("{fp32: {compute: 30 GFLOP/s, memory_bandwidth: 11 GB/s}}"),
              AllOf(HasSubstr("devices[0].by_dtype.fp32"), HasSubstr("bf16, int8")));
  EXPECT_THAT(refused("{int8: {compute: 30 GFLOP/s}}"),
              HasSubstr("devices[0].by_dtype.int8.memory_bandwidth: is missing"));
  EXPECT_THAT(refused("{bf16: {compute: 0 FLOP/s, memory_bandwidth: 1 GB/s}}"),
              HasSubstr("devices[0].by_dtype.bf16.compute"));
}

TEST(ClusterFile, OfOneDeviceNeedsNoLinks) {
  const std::string one = device("name: a, " + kDevice);
  for (const char* links : {"", "links: {}", "links: {power: 440 mW}", "links: {between: []}"}) {
    const ClusterSpec spec = parse_cluster(cluster(one, links), "x.yaml");
    EXPECT_GT(spec.link(kCoordinator, "a").bytes_per_s, 0) << links;
  }
}

TEST(ClusterFile, ADeviceReachesItselfAtOnce) {
  const LinkSpec link = parse_cluster(cluster(kTwo), "x.yaml").link("a", "a");
  EXPECT_EQ(link.latency.count() + 1e12 / link.bytes_per_s, 0);
}

TEST(ClusterFile, CountMakesNumberedDevices) {
  const ClusterSpec spec =
      parse_cluster(cluster(device("name: phone, count: 3, " + kDevice)), "x.yaml");
  ASSERT_EQ(spec.devices.size(), 3u);
  EXPECT_EQ(spec.devices[0].name, "phone-1");
  EXPECT_EQ(spec.devices[2].name, "phone-3");
  EXPECT_EQ(spec.devices[2].memory_bytes, 8e9);
}

TEST(ClusterFile, BothMakesTheLinkInBothDirections) {
  const ClusterSpec spec =
      parse_cluster(cluster(kTwo,
                            "links: {default: {bandwidth: 1 MB/s, latency: 1 ms}, between: "
                            "[{from: a, to: b, bandwidth: 2 MB/s, latency: 3 ms, both: true}]}"),
                    "x.yaml");
  EXPECT_DOUBLE_EQ(spec.link("a", "b").bytes_per_s, 2e6);
  EXPECT_DOUBLE_EQ(spec.link("b", "a").bytes_per_s, 2e6);
}

TEST(ClusterFile, NeedsNoDefaultLinkWhenEveryPairHasOne) {
  const std::string link = ", bandwidth: 1 MB/s, latency: 1 ms, both: true}";
  const std::string all = "links: {between: [{from: a, to: b" + link +
                          ", {from: a, to: coordinator" + link + ", {from: coordinator, to: b" +
                          link + "]}";
  EXPECT_EQ(parse_cluster(cluster(kTwo, all), "x.yaml").links.size(), 6u);
}

TEST(ClusterFileErrors, NameThePairWithoutALinkWhenThereIsNoDefault) {
  EXPECT_THAT(refusal(cluster(kTwo,
                              "links: {between: [{from: a, to: b, bandwidth: 1 MB/s, "
                              "latency: 1 ms, both: true}]}")),
              AllOf(HasSubstr("links.default: is missing"), HasSubstr("'a' to 'coordinator'")));
}

const std::string kPair = ", bandwidth: 1 MB/s, latency: 1 ms, both: true}";

TEST(ClusterFileErrors, NameAPairOfDevicesBeforeThoseOfTheCoordinator) {
  EXPECT_THAT(refusal(cluster(kTwo + device("name: c, " + kDevice),
                              "links: {between: [{from: a, to: b" + kPair + ", {from: b, to: c" +
                                  kPair + "]}")),
              AllOf(HasSubstr("links.default: is missing"), HasSubstr("'a' to 'c'")));
}

TEST(ClusterFileErrors, NameAnIsolatedDevice) {
  const std::string yaml =
      cluster(device("name: a, " + kDevice) + device("name: lost, " + kDevice) +
                  device("name: c, " + kDevice),
              "links: {between: [{from: a, to: c" + kPair + ", {from: coordinator, to: lost" +
                  kPair + "]}");
  EXPECT_THAT(refusal(yaml), AllOf(StartsWith("x.yaml: links.between: has no link between 'lost'"),
                                   HasSubstr("default: {bandwidth")));
}

TEST(ClusterFileErrors, NameFieldValueAndUnits) {
  EXPECT_THAT(
      refusal(cluster(kTwo + device("name: c, compute: 1 GFLOP/s, memory_bandwidth: 1 GB/s, "
                                    "memory: 8 parsecs"))),
      StartsWith("x.yaml: devices[2].memory: '8 parsecs' is not accepted; write a number and one "
                 "of B, kB"));
}

TEST(ClusterFileErrors, NameTheKnownFieldsForAnUnknownOne) {
  EXPECT_THAT(refusal(cluster(device("name: a, colour: red, " + kDevice))),
              AllOf(HasSubstr("devices[0].colour: is not a field here"), HasSubstr("overhead")));
  EXPECT_THAT(refusal(cluster(kTwo, kLinks + "speed: 3\n")),
              AllOf(HasSubstr("speed: is not a field here"), HasSubstr("medium")));
  EXPECT_THAT(refusal(cluster(kTwo, "links: {defualt: {}}\n")), HasSubstr("links.defualt"));
  EXPECT_THAT(refusal(cluster(kTwo, kLinks + "medium: {latency: 1 ms}")),
              HasSubstr("medium.latency"));
}

struct Case {
  const char* name;
  std::string yaml;
  const char* said;
};

class ClusterFileRefuses : public ::testing::TestWithParam<Case> {};

TEST_P(ClusterFileRefuses, AndNamesTheField) {
  EXPECT_THAT(refusal(GetParam().yaml), HasSubstr(GetParam().said));
}

std::string between(const std::string& fields) {
  return cluster(kTwo,
                 "links: {default: {bandwidth: 1 MB/s, latency: 1 ms}, between: [" + fields + "]}");
}
const std::string kSlow = ", bandwidth: 1 MB/s, latency: 1 ms}";
const std::string kRest = ", memory_bandwidth: 10 GB/s, memory: 8 GB";

INSTANTIATE_TEST_SUITE_P(
    Everything, ClusterFileRefuses,
    ::testing::Values(
        Case{"Nothing", "", "holds no YAML document"}, Case{"AList", "[1, 2]", "is not a mapping"},
        Case{"TwoDocuments", cluster(kTwo) + "---\nname: other\n",
             "holds more than one YAML document"},
        Case{"NoDevices", "name: n\nsource: s\n" + kLinks, "devices: is missing"},
        Case{"EmptyDevices", "name: n\nsource: s\ndevices: []\n" + kLinks, "devices: is empty"},
        Case{"DevicesAsText", "name: n\nsource: s\ndevices: 3\n" + kLinks,
             "devices: is not a list"},
        Case{"DeviceAsText", cluster("  - phone\n"), "devices[0]: is not a mapping"},
        Case{"NoMemory", cluster(device("name: a, compute: 1 GFLOP/s, memory_bandwidth: 1 GB/s")),
             "devices[0].memory: is missing"},
        Case{"EmptyValue", cluster(device("name: a, compute: " + kRest)),
             "devices[0].compute: is empty"},
        Case{"ZeroSpeed", cluster(device("name: a, compute: 0 FLOP/s" + kRest)),
             "devices[0].compute: '0 FLOP/s'"},
        Case{"NegativeSpeed", cluster(device("name: a, compute: -1 FLOP/s" + kRest)),
             "devices[0].compute: '-1 FLOP/s'"},
        Case{"InfiniteSpeed", cluster(device("name: a, compute: inf FLOP/s" + kRest)),
             "'inf FLOP/s'"},
        Case{"OverflowingSpeed", cluster(device("name: a, compute: 1e308 TFLOP/s" + kRest)),
             "'1e308 TFLOP/s'"},
        Case{"NoUnit", cluster(device("name: a, compute: 20" + kRest)), "compute: '20' is not"},
        Case{"WrongUnit", cluster(device("name: a, compute: 20 GB" + kRest)), "'20 GB' is not"},
        Case{"NoCores", cluster(device("name: a, cores: 0, " + kDevice)), "cores: '0'"},
        Case{"HalfACore", cluster(device("name: a, cores: 1.5, " + kDevice)), "cores: '1.5'"},
        Case{"LongOverhead", cluster(device("name: a, overhead: 2 h, " + kDevice)),
             "overhead: '2 h'"},
        Case{"NameWithSpace", cluster(device("name: my phone, " + kDevice)),
             "devices[0].name: 'my phone'"},
        Case{"NameOfPath", cluster(device("name: ../a, " + kDevice)), "'../a'"},
        Case{"LongName", cluster(device("name: " + std::string(65, 'a') + ", " + kDevice)),
             "1 to 64 letters"},
        Case{"ReservedName", cluster(device("name: coordinator, " + kDevice)),
             "devices[0].name: 'coordinator' is not accepted"},
        Case{"SameNameTwice", cluster(kTwo + device("name: a, " + kDevice)),
             "devices[2].name: 'a' stands twice"},
        Case{"SameNameByCount",
             cluster(device("name: p-2, " + kDevice) + device("name: p, count: 2, " + kDevice)),
             "devices[1].name: 'p-2' stands twice"},
        Case{"SameFieldTwice", cluster(device("name: a, name: b, " + kDevice)),
             "devices[0].name: stands twice"},
        Case{"HugeCount", cluster(device("name: a, count: 1000000000, " + kDevice)),
             "devices[0].count: '1000000000'"},
        Case{"CountsThatAddUp",
             cluster(device("name: a, count: 9999, " + kDevice) +
                     device("name: b, count: 2, " + kDevice)),
             "devices[1].count: '2' is not accepted; write a whole number from 1 to 1"},
        Case{"OneTooMany",
             cluster(device("name: a, count: 10000, " + kDevice) + device("name: b, " + kDevice)),
             "devices[1]: is one too many"},
        Case{"UnknownHeader", cluster(kTwo, kLinks + "header: c\n"), "header: 'c'"},
        Case{"CoordinatorAsHeader", cluster(kTwo, kLinks + "header: coordinator\n"),
             "header: 'coordinator'"},
        Case{"NoLinks", cluster(kTwo, ""), "links: is missing"},
        Case{"LinksAsText", cluster(kTwo, "links: fast\n"), "links: is not a mapping"},
        Case{"SlowestLink", cluster(kTwo, "links: {default: {bandwidth: 0 B/s, latency: 1 ms}}"),
             "links.default.bandwidth: '0 B/s'"},
        Case{"NoLatency", cluster(kTwo, "links: {default: {bandwidth: 1 MB/s}}"),
             "links.default.latency: is missing"},
        Case{"BetweenAsMapping", cluster(kTwo, "links: {between: {from: a}}"),
             "links.between: is not a list"},
        Case{"UnknownEnd", between("{from: a, to: z" + kSlow), "links.between[0].to: 'z'"},
        Case{"SameEnds", between("{from: a, to: a" + kSlow), "links.between[0].to: 'a'"},
        Case{"SameLinkTwice", between("{from: a, to: b" + kSlow + ", {from: a, to: b" + kSlow),
             "links.between[1]: the link from 'a' to 'b' stands twice"},
        Case{"SameLinkByBoth",
             between("{from: b, to: a" + kSlow + ", {both: true, from: a, to: b" + kSlow),
             "the link from 'b' to 'a' stands twice"},
        Case{"BothAsNumber", between("{both: 1, from: a, to: b" + kSlow), "both: '1'"},
        Case{"ZeroMedium", cluster(kTwo, kLinks + "medium: {bandwidth: 0 B/s}"),
             "medium.bandwidth: '0 B/s'"},
        Case{"FieldNameAsList", cluster(kTwo, kLinks + "[a, b]: 3\n"), "is a list"},
        Case{"BadSyntax", "name: n\nsource: [s\n", "is not YAML"},
        Case{"UnknownAlias", "name: *nobody\n", "is not YAML"},
        Case{"ControlCharacters", cluster(device("name: \"a\\n\\e[31m\", " + kDevice)),
             "'a\\x0a\\x1b[31m'"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Power, ClusterFileRefuses,
    ::testing::Values(
        Case{"NoPower", cluster(device("name: a, power: 0 W, " + kDevice)),
             "devices[0].power: '0 W' is not accepted; write at least 1.00 mW, as in 3 W"},
        Case{"NegativePower", cluster(device("name: a, power: -3 W, " + kDevice)),
             "devices[0].power: '-3 W' is not accepted; write a number and one of W, mW, kW"},
        Case{"PowerOfAHouse", cluster(device("name: a, power: 11 kW, " + kDevice)),
             "'11 kW' is not accepted; write at most 10.0 kW, as in 3 W"},
        Case{"PowerWithoutUnit", cluster(device("name: a, power: 3, " + kDevice)), "power: '3'"},
        Case{"EmptyBattery", cluster(device("name: a, battery: 0 Wh, " + kDevice)),
             "battery: '0 Wh' is not accepted; write at least 1.00 J, as in 17 Wh"},
        Case{"BatteryOfATown", cluster(device("name: a, battery: 300 kWh, " + kDevice)),
             "battery: '300 kWh' is not accepted; write at most 1.00 GJ"},
        Case{"BatteryInAmpereHours", cluster(device("name: a, battery: 4610 mAh, " + kDevice)),
             "battery: '4610 mAh' is not accepted; write a number and one of J"},
        Case{"Overcharged", cluster(device("name: a, battery: 17 Wh, charge: 120 %, " + kDevice)),
             "devices[0].charge: '120 %' is not accepted; write 0 % to 100 %"},
        Case{"ChargeWithoutPercent",
             cluster(device("name: a, battery: 17 Wh, charge: 0.65, " + kDevice)),
             "charge: '0.65' is not accepted; write 0 % to 100 %"},
        Case{"ChargeWithoutBattery", cluster(device("name: a, charge: 65 %, " + kDevice)),
             "devices[0].charge: is the charge of a battery that is not given; write battery"},
        Case{"RadiosWithoutPower", cluster(kTwo, "links: {power: 0 mW, default: {}}"),
             "links.power: '0 mW' is not accepted; write at least 1.00 mW, as in 440 mW"},
        Case{"NoDefaultAndNoPairs", cluster(kTwo, "links: {power: 440 mW}"),
             "links.default: is missing; write {bandwidth"}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Speed, ClusterFileRefuses,
    ::testing::Values(
        Case{"NegativeBandwidth",
             cluster(kTwo, "links: {default: {bandwidth: -1 MB/s, latency: 1 ms}}"),
             "links.default.bandwidth: '-1 MB/s'"},
        Case{"ZeroBandwidthBetween", between("{from: a, to: b, bandwidth: 0 B/s, latency: 1 ms}"),
             "links.between[0].bandwidth: '0 B/s' is not accepted; write at least 1.00 B/s"},
        Case{"RelayedByANumber", cluster(device("name: a, relayed: 1, " + kDevice)),
             "devices[0].relayed: '1' is not accepted; write true or false"},
        Case{"ThreadsBeyondNumber", cluster(device("name: a, threads: 1025, " + kDevice)),
             "devices[0].threads: '1025'"},
        Case{"CoresThatAreNoList", cluster(device("name: a, cpus: big, " + kDevice)),
             "devices[0].cpus: 'big' is not accepted; write the numbers of its cores, as 4-7 or "
             "0-3,6"},
        Case{"CoresBeyondNumber", cluster(device("name: a, cpus: 0-1024, " + kDevice)),
             "devices[0].cpus: '0-1024'"},
        Case{"TooManyRelayed",
             cluster(device("name: a, count: 5000, relayed: true, " + kDevice) + kTwo),
             "devices: has 5000 relayed devices of 5002; write at most 199 of so many"},
        Case{"ZeroMemoryBandwidth",
             cluster(device("name: a, compute: 1 GFLOP/s, memory_bandwidth: 0 GB/s, memory: 1 GB")),
             "devices[0].memory_bandwidth: '0 GB/s' is not accepted; write at least 1.00 B/s, as "
             "in 10 GB/s"}),
    [](const auto& info) { return info.param.name; });

TEST(ClusterFileErrors, GiveTheLineOfASyntaxError) {
  EXPECT_THAT(refusal("name: n\nsource: s\ndevices: }\n"),
              StartsWith("x.yaml: line 3: is not YAML"));
}

TEST(ClusterFileErrors, ShowLongValuesShortened) {
  EXPECT_THAT(refusal(cluster(device("name: a, compute: " + std::string(1 << 20, '9') + kRest))),
              HasSubstr("999..."));
}

TEST(HostileClusterFile, NestedDeeplyIsRefused) {
  EXPECT_THAT(refusal("name: " + std::string(1 << 20, '[')), HasSubstr("is not YAML"));
  EXPECT_THAT(refusal("name: " + std::string(1 << 20, '{')), HasSubstr("is not YAML"));
}

TEST(HostileClusterFile, AliasesThatMultiplyAreRefusedWithoutExpandingThem) {
  std::string bomb = "name: n\nsource: s\nheader: &x0 [lol, lol]\n";
  for (int i = 1; i <= 60; ++i) {
    bomb += fmt::format("f{}: &x{} [*x{}, *x{}]\n", i, i, i - 1, i - 1);
  }
  EXPECT_THAT(refusal(bomb), HasSubstr("is not a field here"));
  EXPECT_THAT(refusal("name: &a [*a, *a]\n"), HasSubstr("name: is a list"));
}

TEST(HostileClusterFile, WithDocumentsWithoutEndIsRefused) {
  EXPECT_THAT(refusal(", a: b\n"), HasSubstr("holds more than one YAML document"));
}

TEST(HostileClusterFile, LargerThanItsLimitIsNotRead) {
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("lingua_spec_test_{}.yaml", ::getpid());
  std::ofstream(path) << std::string((4u << 20) + 1, '#');
  EXPECT_THROW(load_cluster(path), InputError);
  std::filesystem::remove(path);
  EXPECT_THROW(load_cluster(path), InputError);
  EXPECT_THAT(refusal(std::string((4u << 20) + 1, '#')), HasSubstr("larger than"));
}

// Every prefix and every file with one byte changed is read or refused, never anything else.
TEST(HostileClusterFile, TruncatedOrDamagedIsReadOrRefused) {
  const std::string whole =
      read_file(std::filesystem::path(LINGUA_PLATFORMS) / "eight-phones.yaml");
  int refused = 0;
  const auto feed = [&](const std::string& yaml) {
    try {
      EXPECT_FALSE(parse_cluster(yaml, "x.yaml").devices.empty());
    } catch (const InputError&) {
      ++refused;
    }
  };
  for (std::size_t i = 0; i < whole.size(); i += 3) {
    feed(whole.substr(0, i));
    for (const char c : {'\0', '\xff', '*', '&', '{', '\n'}) {
      std::string damaged = whole;
      damaged[i] = c;
      feed(damaged);
    }
  }
  EXPECT_GT(refused, 100);
}

TEST(ClusterSpec, RefusesADeviceThatItDoesNotHave) {
  EXPECT_THROW(parse_cluster(cluster(kTwo), "x.yaml").device("c"), BugError);
}

class CommittedPlatform : public ::testing::TestWithParam<const char*> {};

TEST_P(CommittedPlatform, LoadsAndIsNamedAsItsFile) {
  const ClusterSpec spec =
      load_cluster(std::filesystem::path(LINGUA_PLATFORMS) / (std::string(GetParam()) + ".yaml"));
  EXPECT_EQ(spec.name, GetParam());
  for (const DeviceSpec& one : spec.devices) {
    EXPECT_GT(one.flops_per_s, 1e9);
    EXPECT_GT(one.memory_bytes_per_s, 1e9);
    EXPECT_GT(one.memory_bytes, 1e9);
    EXPECT_GE(one.power_w, 2);
    EXPECT_LE(one.power_w, 3);
    EXPECT_EQ(one.charge, 1);
  }
  EXPECT_DOUBLE_EQ(spec.radio_power_w, 0.44);
}

INSTANTIATE_TEST_SUITE_P(All, CommittedPlatform,
                         ::testing::Values("three-phones", "measured-five", "eight-phones"),
                         [](const auto& info) {
                           std::string name = info.param;
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

// Rows of a table of platforms/measured/, without its heading.
std::vector<std::vector<std::string>> table(const char* name) {
  std::istringstream in(read_file(std::filesystem::path(LINGUA_PLATFORMS) / "measured" / name));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(in, line);) {
    std::istringstream cells(line);
    rows.emplace_back();
    for (std::string cell; std::getline(cells, cell, ',');) rows.back().push_back(cell);
  }
  EXPECT_EQ(rows.size(), 6u) << name;
  rows.erase(rows.begin());
  return rows;
}

TEST(MeasuredFive, HasTheNumbersOfItsTables) {
  const ClusterSpec spec =
      load_cluster(std::filesystem::path(LINGUA_PLATFORMS) / "measured-five.yaml");
  const auto phones = table("phones.csv");
  const auto pings = table("phones_ping_ms.csv");
  const auto bandwidths = table("phones_bandwidth_MBps.csv");
  ASSERT_EQ(spec.devices.size(), phones.size());
  ASSERT_EQ(spec.links.size(), 20u);
  for (std::size_t i = 0; i < phones.size(); ++i) {
    const DeviceSpec& one = spec.devices[i];
    EXPECT_NEAR(one.flops_per_s, std::stod(phones[i].at(1)), 0.5e6) << one.name;
    EXPECT_DOUBLE_EQ(one.memory_bytes, std::stod(phones[i].at(3)) * 1e6) << one.name;
    for (std::size_t j = 0; j < phones.size(); ++j) {
      if (i == j) continue;
      const LinkSpec link = spec.link(one.name, spec.devices[j].name);
      EXPECT_NEAR(link.latency.count() * 2e3, std::stod(pings[i].at(j + 1)), 1e-9);
      EXPECT_NEAR(link.bytes_per_s / 1e6, std::stod(bandwidths[i].at(j + 1)), 1e-9);
    }
  }
}

}  // namespace
}  // namespace lingua
