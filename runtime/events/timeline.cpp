#include "runtime/events/timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>
#include <vector>

#include "runtime/base/files.h"

namespace lingua {
namespace {

using Json = nlohmann::json;

// Whole nanoseconds: rounding keeps the order of instants, so what does not overlap stays so.
std::int64_t nanoseconds(Seconds time) { return std::llround(time.count() * 1e9); }
double microseconds(std::int64_t ns) { return static_cast<double>(ns) / 1000.0; }

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

struct Slice {
  const EventRow* row = nullptr;
  std::string name;
  std::int64_t start = 0;
  std::int64_t end = 0;
  int pid = 0;
  int tid = 0;
};

// Tracks that share a name; slices that overlap get one each.
struct TrackGroup {
  std::string name;
  std::vector<std::size_t> slices;  // in the timeline
};

class Timeline {
 public:
  explicit Timeline(const EventLog& log) : log_(log) {
    log_.sort();
    lay_out_devices();
    lay_out_links();
    lay_out_requests();
  }

  std::string json(const std::string& title) const {
    std::string text = "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"title\":" + text_of(title) +
                       "},\"traceEvents\":[\n";
    for (const std::string& line : metadata_) text += line + ",\n";
    for (const Slice& slice : slices_) text += slice_json(slice) + ",\n";
    for (const std::string& line : flows()) text += line + ",\n";
    if (text.ends_with(",\n")) text.resize(text.size() - 2);
    return text + "\n]}\n";
  }

 private:
  int add_process(const std::string& name) {
    const int pid = ++processes_;
    add_metadata("process_name", pid, 0, {{"name", name}});
    add_metadata("process_sort_index", pid, 0, {{"sort_index", pid}});
    tracks_ = 0;
    return pid;
  }

  int add_track(int pid, const std::string& name) {
    const int tid = ++tracks_;
    add_metadata("thread_name", pid, tid, {{"name", name}});
    add_metadata("thread_sort_index", pid, tid, {{"sort_index", tid}});
    return tid;
  }

  void add_metadata(const char* what, int pid, int tid, Json args) {
    metadata_.push_back(text_of(
        {{"ph", "M"}, {"name", what}, {"pid", pid}, {"tid", tid}, {"args", std::move(args)}}));
  }

  std::size_t add_slice(const EventRow& row, std::string name) {
    slices_.push_back({&row, std::move(name), nanoseconds(row.start), nanoseconds(row.end), 0, 0});
    return slices_.size() - 1;
  }

  // Gives each slice the first track of its group that is free. REQUIRES: slices ascend by start.
  void place(int pid, const TrackGroup& group) {
    std::vector<std::pair<int, std::int64_t>> tracks;  // and when it is free again
    for (std::size_t index : group.slices) {
      Slice& slice = slices_[index];
      auto free = std::find_if(tracks.begin(), tracks.end(),
                               [&](const auto& track) { return track.second <= slice.start; });
      if (free == tracks.end()) {
        const std::string number = tracks.empty() ? "" : fmt::format(" ({})", tracks.size() + 1);
        free = tracks.insert(tracks.end(), {add_track(pid, group.name + number), 0});
      }
      free->second = slice.end;
      slice.pid = pid;
      slice.tid = free->first;
    }
  }

  static std::string step_name(const EventRow& row) {
    return row.step == 0 ? "prefill" : fmt::format("step {}", row.step);
  }

  void lay_out_devices() {
    std::map<DeviceName, std::pair<TrackGroup, TrackGroup>> devices;
    for (const EventRow& row : log_.rows()) {
      const bool load = row.what == event::kLoad;
      if (!load && row.what != event::kCompute) continue;
      auto& [computing, loading] = devices[row.who];
      computing.name = "compute";
      loading.name = "load";
      if (load) {
        loading.slices.push_back(add_slice(row, "load"));
      } else {
        computing.slices.push_back(
            add_slice(row, fmt::format("segment {}, request {}", row.segment, row.request)));
        computes_[{row.who, row.request, row.step}].push_back(slices_.size() - 1);
      }
    }
    for (const auto& [name, groups] : devices) {
      const int pid = add_process(name);
      place(pid, groups.first);
      place(pid, groups.second);
    }
  }

  void lay_out_links() {
    std::map<std::string, TrackGroup> links;
    for (const EventRow& row : log_.rows()) {
      if (row.what != event::kTransfer && row.what != event::kResult) continue;
      TrackGroup& link = links[row.who];
      link.name = row.who;
      link.slices.push_back(add_slice(
          row, fmt::format("{}, request {}", row.what == event::kResult ? "result" : step_name(row),
                           row.request)));
    }
    if (links.empty()) return;
    const int pid = add_process("links");
    for (const auto& [name, link] : links) place(pid, link);
  }

  // The steps of a request lie inside its slice, on its track; others get tracks of their own.
  void lay_out_requests() {
    TrackGroup requests{"request", {}};
    TrackGroup lone_steps{"step", {}};
    std::map<RequestId, std::size_t> slice_of;
    for (const EventRow& row : log_.rows()) {
      if (row.what != event::kRequest) continue;
      requests.slices.push_back(add_slice(row, fmt::format("request {}", row.request)));
      slice_of[row.request] = slices_.size() - 1;
    }
    std::vector<std::size_t> inside;
    std::map<RequestId, std::int64_t> steps_until;
    for (const EventRow& row : log_.rows()) {
      if (row.what != event::kStep) continue;
      const std::size_t step = add_slice(row, step_name(row));
      const auto request = slice_of.find(row.request);
      const bool fits =
          request != slice_of.end() && slices_[request->second].start <= slices_[step].start &&
          slices_[step].end <= slices_[request->second].end &&
          (!steps_until.contains(row.request) || steps_until[row.request] <= slices_[step].start);
      if (fits) steps_until[row.request] = slices_[step].end;
      (fits ? inside : lone_steps.slices).push_back(step);
    }
    if (requests.slices.empty() && lone_steps.slices.empty()) return;
    const int pid = add_process("requests in flight");
    place(pid, requests);
    place(pid, lone_steps);
    for (std::size_t step : inside) {
      slices_[step].pid = pid;
      slices_[step].tid = slices_[slice_of.at(slices_[step].row->request)].tid;
    }
  }

  static std::string slice_json(const Slice& slice) {
    Json args = {{"bytes", slice.row->bytes}};
    if (slice.row->segment >= 0) args["segment"] = slice.row->segment;
    if (slice.row->request >= 0) args["request"] = slice.row->request;
    if (slice.row->step >= 0) args["step"] = slice.row->step;
    return text_of({{"ph", "X"},
                    {"name", slice.name},
                    {"cat", slice.row->what},
                    {"pid", slice.pid},
                    {"tid", slice.tid},
                    {"ts", microseconds(slice.start)},
                    {"dur", microseconds(slice.end - slice.start)},
                    {"args", std::move(args)}});
  }

  // An arrow from each transfer to the first computing of its step that starts after it.
  std::vector<std::string> flows() const {
    std::vector<std::string> lines;
    int id = 0;
    for (const Slice& slice : slices_) {
      const auto arrow = slice.row->who.find("->");
      if (slice.row->what != event::kTransfer || arrow == std::string::npos) continue;
      const auto target =
          computes_.find({slice.row->who.substr(arrow + 2), slice.row->request, slice.row->step});
      if (target == computes_.end()) continue;
      const auto next = std::find_if(target->second.begin(), target->second.end(),
                                     [&](std::size_t i) { return slices_[i].start >= slice.end; });
      if (next == target->second.end()) continue;
      ++id;
      lines.push_back(flow_json("s", id, slice, slice.start));
      lines.push_back(flow_json("f", id, slices_[*next], slices_[*next].start));
    }
    return lines;
  }

  static std::string flow_json(const char* phase, int id, const Slice& slice, std::int64_t at) {
    return text_of({{"ph", phase},
                    {"bp", "e"},
                    {"id", id},
                    {"name", "activations"},
                    {"cat", "flow"},
                    {"pid", slice.pid},
                    {"tid", slice.tid},
                    {"ts", microseconds(at)}});
  }

  EventLog log_;
  std::vector<Slice> slices_;
  std::vector<std::string> metadata_;
  std::map<std::tuple<DeviceName, RequestId, std::int64_t>, std::vector<std::size_t>> computes_;
  int processes_ = 0;
  int tracks_ = 0;
};

}  // namespace

std::string timeline_json(const EventLog& log, const std::string& title) {
  return Timeline(log).json(title);
}

void write_timeline(const EventLog& log, const std::string& title,
                    const std::filesystem::path& file) {
  write_file_atomically(file, [&](std::ostream& out) { out << timeline_json(log, title); });
}

}  // namespace lingua
