// What a device is, and with what it computes.

#include <set>

#include "runtime/net/wire_values.h"

namespace lingua::internal {
namespace {

constexpr double kNotKnown = -1;  // the charge of a battery

void fill_cores(const Cores& cores, google::protobuf::RepeatedField<std::int32_t>* out) {
  for (const int core : cores) out->Add(core);
}

int decode_threads(std::int64_t threads) {
  return static_cast<int>(in_range("threads", threads, 0, 1024));
}

Cores decode_cores(const google::protobuf::RepeatedField<std::int32_t>& in) {
  for (int i = 0; i < in.size(); ++i)
    in_range("cores", in[i], i > 0 ? in[i - 1] + 1 : 0, kMostCores - 1);
  return {in.begin(), in.end()};
}

std::vector<Cores> decode_core_kinds(const wire::DeviceSpec& in) {
  std::vector<Cores> kinds;
  std::set<int> all;
  for (const wire::CoreKind& kind : in.core_kinds()) {
    kinds.push_back(decode_cores(kind.cores()));
    if (kinds.back().empty()) refuse("core_kinds", "one has no core");
    for (const int core : kinds.back()) {
      if (!all.insert(core).second) refuse("core_kinds", fmt::format("core {} stands twice", core));
    }
  }
  return kinds;
}

}  // namespace

void fill_computing(const Computing& computing, wire::Computing* out) {
  out->set_threads(computing.threads);
  fill_cores(computing.cores, out->mutable_cores());
}

void fill_device_spec(const DeviceSpec& spec, wire::DeviceSpec* out) {
  out->set_name(spec.name);
  out->set_flops_per_s(spec.flops_per_s);
  out->set_memory_bytes_per_s(spec.memory_bytes_per_s);
  out->set_memory_bytes(spec.memory_bytes);
  out->set_cores(spec.cores);
  out->set_threads(spec.computing.threads);
  for (const Cores& kind : spec.core_kinds)
    fill_cores(kind, out->add_core_kinds()->mutable_cores());
  out->set_relayed(spec.relayed);
  out->set_overhead_s(spec.overhead.count());
  out->set_power_w(spec.power_w);
  out->set_battery_j(spec.battery_j);
  if (spec.charge != 1) out->set_charge(spec.charge);
}

Computing decode_computing(const wire::Computing& in) {
  return {decode_threads(in.threads()), decode_cores(in.cores())};
}

DeviceSpec decode_device_spec(const wire::DeviceSpec& in) {
  DeviceSpec spec;
  spec.name = in.name();
  spec.flops_per_s = not_negative("flops_per_s", in.flops_per_s());
  spec.memory_bytes_per_s = not_negative("memory_bytes_per_s", in.memory_bytes_per_s());
  spec.memory_bytes = not_negative("memory_bytes", in.memory_bytes());
  spec.cores = static_cast<int>(in_range("cores", in.cores(), 1, 65536));
  spec.computing.threads = decode_threads(in.threads());
  spec.core_kinds = decode_core_kinds(in);
  spec.overhead = Seconds(not_negative("overhead", in.overhead_s()));
  spec.relayed = in.relayed();
  spec.power_w = not_negative("power_w", in.power_w());
  spec.battery_j = not_negative("battery_j", in.battery_j());
  if (in.has_charge()) spec.charge = std::max(finite("charge", in.charge()), kNotKnown);
  if (spec.charge > 1) refuse("charge", fmt::format("{} is more than 1", spec.charge));
  return spec;
}

}  // namespace lingua::internal
