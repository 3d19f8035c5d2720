#include <map>
#include <set>
#include <tuple>

#include "runtime/base/errors.h"
#include "runtime/plan/plan.h"
#include "runtime/plan/run_memory.h"

namespace lingua {
namespace {

std::string name_of(const Segment& segment) {
  return fmt::format("segment {} ('{}')", segment.id, segment.name);
}

bool runs(const Plan& plan, const DeviceName& device, SegmentId id) {
  return std::any_of(plan.stages.begin(), plan.stages.end(), [&](const Stage& stage) {
    return stage.device == device && id >= stage.first_segment && id <= stage.last_segment;
  });
}

void check_stored(const DeviceName& device, const std::vector<SegmentId>& stored, const Plan& plan,
                  SegmentId count) {
  SegmentId previous = -1;
  for (SegmentId id : stored) {
    if (id < 0 || id >= count) {
      throw InputError(fmt::format("plan: device '{}' stores segment {}; the model has 0 to {}",
                                   device, id, count - 1));
    }
    if (id <= previous) {
      throw InputError(
          fmt::format("plan: the stored segments of device '{}' are not ascending: {} after {}",
                      device, id, previous));
    }
    if (runs(plan, device, id)) {
      throw InputError(fmt::format(
          "plan: device '{}' stores segment {} besides those it runs, but it runs it", device, id));
    }
    previous = id;
  }
}

void check_stored(const Stage& stage, const Plan& plan, SegmentId count) {
  const bool returns = &stage == &plan.stages.back() && header_keeps_last(plan.stages) > 0;
  if (returns && !stage.stored_segments.empty()) {
    throw InputError(fmt::format(
        "plan: the last stage stores segment {} besides those it runs; write what the header '{}' "
        "stores with its first stage",
        stage.stored_segments.front(), stage.device));
  }
  check_stored(stage.device, stage.stored_segments, plan, count);
}

void check_keepers(const Plan& plan, const ClusterSpec& cluster, SegmentId count) {
  std::set<DeviceName> seen;
  for (const Keeper& keeper : plan.keepers) {
    if (cluster.index_of(keeper.device) < 0) {
      throw InputError(
          fmt::format("plan: device '{}' is not in cluster '{}'", keeper.device, cluster.name));
    }
    if (plan.runs_on(keeper.device) || !seen.insert(keeper.device).second) {
      throw InputError(fmt::format(
          "plan: device '{}' stands among the keepers and elsewhere; write what a device stores "
          "that runs segments with its stage, and each keeper once",
          keeper.device));
    }
    if (keeper.stored_segments.empty()) {
      throw InputError(
          fmt::format("plan: keeper '{}' stores nothing; write a segment at least, or leave it out",
                      keeper.device));
    }
    check_stored(keeper.device, keeper.stored_segments, plan, count);
  }
}

void check_memory(const Plan& plan, const Segmentation& segmentation, const DeviceSpec& device,
                  const Workload& workload) {
  RunMemory memory(workload);
  std::string segments;
  for (const Keeper& keeper : plan.keepers) {
    if (keeper.device != device.name) continue;
    for (const SegmentId id : keeper.stored_segments)
      memory.store(segmentation.segments[static_cast<std::size_t>(id)]);
    segments = fmt::format("that it stores, {} of them", keeper.stored_segments.size());
  }
  for (const Stage& stage : plan.stages) {
    if (stage.device != device.name) continue;
    memory.add(stage, segmentation);
    segments += fmt::format("{}{} to {}", segments.empty() ? "" : " and ", stage.first_segment,
                            stage.last_segment);
  }
  if (memory.total_bytes() > device.memory_bytes) {
    const auto [need, has] = format_apart(memory.total_bytes(), device.memory_bytes, Unit::kBytes);
    throw InputError(fmt::format("plan: device '{}' needs {} for segments {} ({}); it has {}",
                                 device.name, need, segments, memory.to_string(), has));
  }
}

std::string describe_transfer(const Transfer& transfer) {
  return fmt::format("value {} from '{}' to '{}'", transfer.value, transfer.from, transfer.to);
}

void check_transfers(const Plan& plan, const Segmentation& segmentation,
                     const Communication& communication) {
  using Key = std::tuple<ValueId, DeviceName, DeviceName>;
  std::map<Key, const Transfer*> given;
  for (const Transfer& transfer : plan.transfers) {
    if (!given.emplace(Key{transfer.value, transfer.from, transfer.to}, &transfer).second) {
      throw InputError(
          fmt::format("plan: the transfer of {} stands twice", describe_transfer(transfer)));
    }
  }
  for (const Transfer& need : transfers_of(segmentation, plan.stages, communication)) {
    const auto found = given.find(Key{need.value, need.from, need.to});
    if (found == given.end()) {
      throw InputError(fmt::format("plan: the transfer of {} is missing", describe_transfer(need)));
    }
    if (found->second->residual != need.residual) {
      throw InputError(fmt::format("plan: the transfer of {} must have residual = {}",
                                   describe_transfer(need), need.residual));
    }
    if (!(found->second->bytes == need.bytes)) {
      throw InputError(fmt::format("plan: the transfer of {} has {} bytes; the value has {}",
                                   describe_transfer(need), found->second->bytes.to_string(),
                                   need.bytes.to_string()));
    }
    given.erase(found);
  }
  if (!given.empty()) {
    throw InputError(fmt::format("plan: the transfer of {} is not needed",
                                 describe_transfer(*given.begin()->second)));
  }
}

}  // namespace

void check_segmentation(const Plan& plan, const Segmentation& segmentation) {
  const SegmentationMark& planned = plan.segmentation;
  const SegmentationMark here = mark_of(segmentation);
  if (planned.digest.empty() || planned.digest == here.digest) return;
  throw InputError(fmt::format(
      "plan: it is made for {} segments of '{}' by rule {} (digest {}); these are {} segments of "
      "'{}' "
      "by rule {} (digest {}); give the model and the options that it was made with (`rule`, "
      "`max-segments`, `max-segment-size`, `head-pieces`, `recompute`, `no-kv-cache`, `head`), or "
      "plan again",
      planned.segments, plan.model, planned.rule, planned.digest, here.segments, segmentation.model,
      here.rule, here.digest));
}

void check_stages(const Plan& plan, const Segmentation& segmentation, const ClusterSpec& cluster) {
  const auto count = static_cast<SegmentId>(segmentation.segments.size());
  if (plan.stages.empty()) throw InputError("plan: no stage; write at least one");
  std::set<DeviceName> seen;
  SegmentId next = 0;
  for (const Stage& stage : plan.stages) {
    if (cluster.index_of(stage.device) < 0) {
      throw InputError(
          fmt::format("plan: device '{}' is not in cluster '{}'", stage.device, cluster.name));
    }
    const bool again = !seen.insert(stage.device).second;
    const bool returns = &stage == &plan.stages.back() && header_keeps_last(plan.stages) > 0;
    if (again && !returns) {
      throw InputError(
          fmt::format("plan: device '{}' stands twice; each device runs one stage, only the header "
                      "may run the last one too, with others between",
                      stage.device));
    }
    if (stage.first_segment != next) {
      throw InputError(
          fmt::format("plan: the stage of device '{}' begins with segment {}; segment {} is next",
                      stage.device, stage.first_segment, next));
    }
    if (stage.last_segment < stage.first_segment || stage.last_segment >= count) {
      throw InputError(fmt::format(
          "plan: the stage of device '{}' ends with segment {}; write one from {} to {}",
          stage.device, stage.last_segment, stage.first_segment, count - 1));
    }
    next = stage.last_segment + 1;
  }
  if (next != count) {
    throw InputError(fmt::format("plan: nobody runs {}; the model has {} segments",
                                 name_of(segmentation.segments[next]), count));
  }
  if (!cluster.header.empty() && plan.header() != cluster.header) {
    throw InputError(
        fmt::format("plan: device '{}' runs the first segment; cluster '{}' wants its header '{}'",
                    plan.header(), cluster.name, cluster.header));
  }
  for (const Stage& stage : plan.stages) check_stored(stage, plan, count);
  check_keepers(plan, cluster, count);
}

void check_plan(const Plan& plan, const Segmentation& segmentation, const ClusterSpec& cluster,
                const Workload& workload) {
  check_stages(plan, segmentation, cluster);
  for (const DeviceName& name : plan.devices())
    check_memory(plan, segmentation, cluster.device(name), workload);
  check_transfers(plan, segmentation, workload.communication);
}

}  // namespace lingua
