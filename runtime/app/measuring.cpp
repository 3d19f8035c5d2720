#include "runtime/app/measuring.h"

#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <set>
#include <thread>

#include "runtime/app/gathering.h"
#include "runtime/app/machine.h"
#include "runtime/app/version.h"
#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"
#include "runtime/base/signals.h"
#include "runtime/base/units.h"
#include "runtime/measure/measure_cluster.h"
#include "runtime/report/text_table.h"

namespace lingua {
namespace {

std::vector<DeviceName> names_of(const MeasureRequest& request) {
  std::vector<DeviceName> names;
  if (request.devices.empty()) {
    if (!request.real.local) {
      throw UsageError(
          "`devices` is required without `local`: the names of the workers to wait for, a,b,c");
    }
    for (int i = 0; i < std::max(request.real.workers, 1); ++i)
      names.push_back(fmt::format("worker-{}", i + 1));
    return names;
  }
  std::set<DeviceName> known;
  for (std::size_t begin = 0; begin <= request.devices.size();) {
    const std::size_t end = std::min(request.devices.find(',', begin), request.devices.size());
    const DeviceName name = request.devices.substr(begin, end - begin);
    begin = end + 1;
    if (const std::string problem = device_name_problem(name); !problem.empty())
      throw UsageError(fmt::format("`devices` '{}': {}", one_line(request.devices), problem));
    if (!known.insert(name).second)
      throw UsageError(fmt::format("`devices`: '{}' stands twice; write each once", name));
    names.push_back(name);
  }
  if (request.real.workers > 0)
    throw UsageError("`workers` says how many where `devices` does not name them; leave one out");
  return names;
}

// "2026-03-09 14:05 UTC".
std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts)};
}

// Letters, digits and . _ - of a file's name, as a cluster's may have them.
std::string cluster_name_of(const std::string& file) {
  std::string name;
  for (const char c : std::filesystem::path(file).stem().string()) {
    const auto byte = static_cast<unsigned char>(c);
    if (name.size() < 64) name += std::isalnum(byte) != 0 || c == '.' || c == '_' ? c : '-';
  }
  return name.empty() ? "measured" : name;
}

// As people read it, and how far samples lie apart: "20.1 GFLOP/s +-3 %".
std::string text_of(const Figure& figure, Unit unit) {
  return fmt::format("{} +-{:.0f} %", format_quantity(figure.value, unit), figure.spread * 100);
}

nlohmann::json figure_json(const Figure& figure) {
  return {{"value", figure.value}, {"spread", figure.spread}, {"samples", figure.samples}};
}

nlohmann::json speed_json(const SpeedFigures& speed) {
  return {{"flops_per_s", figure_json(speed.flops_per_s)},
          {"memory_bytes_per_s", figure_json(speed.memory_bytes_per_s)}};
}

const char* short_name(DType dtype) {
  return dtype == DType::kFloat32 ? "fp32" : dtype == DType::kBFloat16 ? "bf16" : "int8";
}

Measurement measure_gathered(NetCoordinator& coordinator, const MeasureRequest& request,
                             std::vector<DeviceSpec> devices, LocalProcesses& processes,
                             const Audience& audience) {
  MeasureJob job{std::move(devices), request.quick};
  job.progress = audience.begin("measuring");
  try {
    return measure_cluster(coordinator.mailbox(), job);
  } catch (const WorldError& error) {
    // The transport saw a connection break; a local process may have left a better reason.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    const std::string failure = processes.failure();
    if (failure.empty()) throw;
    throw WorldError(fmt::format("{}; {}", failure, error.what()));
  }
}

}  // namespace

void visit_measuring(MeasureRequest& request, SettingVisitor& visitor) {
  visitor.take(Setting("devices", &request.devices,
                       "names of the workers to measure, with commas: phone1,phone2")
                   .called("NAMES"));
  visitor.take(
      Setting("out", &request.out, "the cluster file that is written").called(kOutputFile));
  visitor.take({"quick", &request.quick,
                "a third of the time, with larger spreads; memory is believed, not tried"});
  visitor.take({"local", &request.real.local,
                "start the workers as processes on this machine, and stop them"});
  visitor.take(Setting("workers", &request.real.workers, "how many, with `local`")
                   .in(1, 1000)
                   .default_untold());
  visit_meeting(request.real, visitor);
  visit_links(request.real.links, visitor);
  visit_loss(request.real.loss_timeout_s, visitor);
  visit_json(request.json, visitor);
}

Measured measure(const MeasureRequest& request, const Audience& audience) {
  const std::vector<DeviceName> names = names_of(request);
  const NetOptions net = coordinator_net(request.real, audience);
  NetCoordinator coordinator(net);
  LocalProcesses processes;
  const OrderlyEnd on_signal([&] { coordinator.tell_to_end(); });
  if (request.real.local) {
    for (const DeviceName& name : names) {
      LocalProcess worker = local_worker(name, coordinator.address(), request.real.loss_timeout_s);
      const double share = available_memory_bytes() / static_cast<double>(names.size());
      worker.argv.insert(worker.argv.end(), {"--memory", fmt::format("{:.0f} B", share)});
      processes.start(worker);
    }
  } else {
    tell_to_join(net, names, coordinator.address(), net.join_timeout, audience);
  }
  std::vector<DeviceSpec> devices = coordinator.wait_for(names, [&] {
    if (ending_signal() != 0) throw WorldError("it was told to end before it began");
    processes.check();
  });
  Measured measured{
      cluster_name_of(request.out), "",
      measure_gathered(coordinator, request, std::move(devices), processes, audience)};
  for (const DeviceName& name : names) coordinator.mailbox().send(name, Stop{});
  measured.file =
      cluster_file_of(measured.figures, measured.name,
                      fmt::format("measured by lingua measure{}, {}, version {}",
                                  request.quick ? " --quick" : "", date_now(), version_id()));
  try {
    parse_cluster(measured.file, "the measured cluster");
  } catch (const InputError& error) {
    throw WorldError(error.what());  // devices have answered nonsense
  }
  if (!request.out.empty()) {
    write_file_atomically(request.out, [&](std::ostream& out) { out << measured.file; });
    if (!request.json) audience.tell("cluster file: {}\n", request.out);
  }
  if (request.real.local) processes.wait(Seconds(10));
  return measured;
}

nlohmann::json measured_json(const Measured& measured) {
  const Measurement& figures = measured.figures;
  nlohmann::json json = {{"cluster", measured.name},
                         {"version", version_id()},
                         {"took_s", figures.took.count()},
                         {"devices", nlohmann::json::array()},
                         {"links", nlohmann::json::array()}};
  for (const DeviceFigures& device : figures.devices) {
    nlohmann::json one = {{"name", device.name},
                          {"cores", device.cores},
                          {"threads", device.best.threads},
                          {"memory_bytes", device.memory_bytes},
                          {"overhead_s", figure_json(device.overhead_s)}};
    if (!device.best.cores.empty()) one["cpus"] = cores_text(device.best.cores);
    for (const auto& [computing, speed] : device.tried) {
      nlohmann::json& tried = one["tried"].emplace_back(speed_json(speed));
      tried["threads"] = computing.threads;
      if (!computing.cores.empty()) tried["cpus"] = cores_text(computing.cores);
    }
    for (const auto& [dtype, speed] : device.by_dtype)
      one["by_dtype"][short_name(dtype)] = speed_json(speed);
    json["devices"].push_back(std::move(one));
  }
  for (const auto& [ends, link] : figures.links) {
    nlohmann::json one = {{"from", ends.first},
                          {"to", ends.second},
                          {"bytes_per_s", figure_json(link.bytes_per_s)},
                          {"latency_s", figure_json(link.latency_s)},
                          {"message_s", link.message_s}};
    if (link.loaded_latency_s) one["loaded_latency_s"] = figure_json(*link.loaded_latency_s);
    json["links"].push_back(std::move(one));
  }
  if (figures.devices.size() > 1) {
    json["medium"] = {{"is_shared", figures.has_medium()},
                      {"together_bytes_per_s", figures.together_bytes_per_s},
                      {"alone_bytes_per_s", figures.alone_bytes_per_s}};
  }
  return json;
}

// "4 of 8 cores", "4 on 4-7".
std::string computing_text(const DeviceFigures& device) {
  const Computing& best = device.best;
  return best.cores.empty() ? fmt::format("{} of {} cores", best.threads, device.cores)
                            : fmt::format("{} on {}", best.threads, cores_text(best.cores));
}

std::string measured_text(const Measured& measured) {
  const auto rate = [](const Figure& figure) { return text_of(figure, Unit::kBytesPerSecond); };
  std::vector<std::vector<std::string>> devices = {
      {"device", "threads", "weights", "compute", "reads", "per segment", "memory"}};
  for (const DeviceFigures& device : measured.figures.devices) {
    for (const auto& [dtype, speed] : device.by_dtype) {
      const bool first = dtype == DType::kFloat32;
      devices.push_back({first ? device.name : "", first ? computing_text(device) : "",
                         short_name(dtype), text_of(speed.flops_per_s, Unit::kFlopsPerSecond),
                         rate(speed.memory_bytes_per_s),
                         first ? text_of(device.overhead_s, Unit::kSeconds) : "",
                         first ? format_quantity(device.memory_bytes, Unit::kBytes) : ""});
    }
  }
  std::vector<std::vector<std::string>> links = {
      {"link", "bandwidth", "latency", "under load", "a message"}};
  for (const auto& [ends, link] : measured.figures.links) {
    links.push_back({ends.first + " -> " + ends.second, rate(link.bytes_per_s),
                     text_of(link.latency_s, Unit::kSeconds),
                     link.loaded_latency_s ? text_of(*link.loaded_latency_s, Unit::kSeconds) : "-",
                     format_seconds(link.message_s)});
  }
  std::string text = text_table(devices) + "\n" + text_table(links);
  if (measured.figures.devices.size() > 1) {
    text +=
        fmt::format("each sending to the next at once: {}; one by one {} in all: {}\n",
                    format_quantity(measured.figures.together_bytes_per_s, Unit::kBytesPerSecond),
                    format_quantity(measured.figures.alone_bytes_per_s, Unit::kBytesPerSecond),
                    measured.figures.has_medium() ? "they share a medium" : "they share none");
  }
  return text + fmt::format("measured in {}\n", format_seconds(measured.figures.took.count()));
}

}  // namespace lingua
