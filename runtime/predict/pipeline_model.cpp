#include "runtime/predict/pipeline_model.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "runtime/predict/agenda.h"
#include "runtime/predict/flow_network.h"
#include "runtime/schedule/schedule.h"

namespace lingua {
namespace {

enum class Kind { kSubmit, kActivations, kAnswer, kDone, kRelease, kOther };

struct Packet {
  Kind kind = Kind::kOther;
  int request = 0;
  double bytes = 0;
  int stage = 0;    // that activations are for
  int step = 0;     // and which, also of an answer
  int others = -1;  // where those stand that travel as one with it
};

// Messages from one device to another: a stream whose latencies overlap.
struct Channel {
  int from = 0;  // place, or the number of places for the coordinator
  int to = 0;
  int way = -1;
  double latency_s = 0;
  std::deque<Packet> stream;
  int ready = 0;  // of the stream, those whose latency has passed
  bool flowing = false;
  int version = 0;  // of the time at which the first of the stream will have arrived
};

struct StageState {
  int incoming = 0;
  std::vector<int> missing;                           // by request and step under way
  std::vector<std::pair<int, std::size_t>> outgoing;  // channel and message
};

// A device: where its stage runs, or its two stages.
struct Place {
  bool computing = false;
  double left_s = 0;             // to compute until all requests are answered
  std::vector<ReadyStep> batch;  // that it computes
  std::vector<Packet> inbox;     // arrived while it computes
  std::vector<ReadyStep> ready;  // few; their parts are stages
  double free_bytes = std::numeric_limits<double>::infinity();
  std::set<int> holds;  // requests whose states are in its memory, where that counts
};

// On its way from a stage that has run a batch.
struct Sent {
  Packet packet;
  double stretch = 1;
  bool is_small = false;
};

class Player {
 public:
  Player(const PipelineWork& work, const ClusterSpec& cluster, const ReplayLimits& limits)
      : work_(work),
        cluster_(cluster),
        limits_(limits),
        most_s_(limits.most_s * (1 + 1e-12)),
        network_(cluster),
        stages_(work.devices.size()),
        places_(work.devices.size() - (work.returns ? 1 : 0)) {
    header_to_coordinator_ = add_channel(0, coordinator());
    for (int s = 0; s < coordinator(); ++s)
      from_coordinator_.push_back(add_channel(coordinator(), s));
    for (std::size_t m = 0; m < work.messages.size(); ++m) {
      const auto& [from, to] = work.messages[m];
      ++stages_[to].incoming;
      stages_[from].outgoing.emplace_back(add_channel(place_of(from), place_of(to)), m);
    }
    if (work.returns) ++stages_.back().incoming;  // from the first stage, at the place
    if (place_of(last_stage()) != 0) answer_ = add_channel(place_of(last_stage()), 0);
    for (const PipelineWork::Kind& kind : work.kinds)
      under_way_ = std::max(under_way_, static_cast<int>(kind.pieces));
    for (StageState& stage : stages_)
      stage.missing.assign(static_cast<std::size_t>(work.requests * under_way_), stage.incoming);
    for (int r = 0; r < work.requests; ++r) {
      kinds_.push_back(&work.kinds[work.turn[static_cast<std::size_t>(r) % work.turn.size()]]);
      step_.push_back(static_cast<int>(kinds_.back()->pieces) - 1);
    }
    most_pieces_ = static_cast<int>(most_pieces_under_way(static_cast<int>(work.devices.size())));
    pieces_begun_.assign(kinds_.size(), 1);
    pieces_done_.assign(kinds_.size(), 0);
    held_.assign(kinds_.size(), -1);
    for (std::size_t p = 0; p < places_.size() && !work.free_bytes.empty(); ++p)
      places_[p].free_bytes = work.free_bytes[p];
    if (work.scheduling.max_batch > 1) return;  // what runs with others takes less
    for (std::size_t k = 0; k < work.kinds.size(); ++k) {
      const auto requests = std::count(kinds_.begin(), kinds_.end(), &work.kinds[k]);
      for (const std::vector<double>& step : work.kinds[k].compute_s) {
        for (int s = 0; s <= last_stage(); ++s) {
          places_[place_of(s)].left_s +=
              static_cast<double>(requests) * step[static_cast<std::size_t>(s)];
        }
      }
    }
  }

  Replay play() {
    submit_next();
    while (!events_.empty() && !too_long_) {
      const Event event = events_.take();
      now_ = event.time_s;
      switch (event.what) {
        case What::kDue: due(event.index); break;
        case What::kArrived:
          if (event.version == channels_[event.index].version) arrived(event.index);
          break;
        case What::kComputed: computed(event.index); break;
      }
    }
    for (double& end : ends_) end -= first_start_;
    return {ended_ == work_.requests, first_answer_ - first_start_, last_end_ - first_start_,
            std::move(ends_),         std::move(marks_s_),          stage_steps_};
  }

 private:
  int coordinator() const { return static_cast<int>(places_.size()); }
  int last_stage() const { return static_cast<int>(stages_.size()) - 1; }
  int place_of(int stage) const { return work_.returns && stage == last_stage() ? 0 : stage; }
  const DeviceName& name(int end) const {
    return end == coordinator() ? kCoordinator : work_.devices[end];
  }

  int add_channel(int from, int to) {
    Channel channel;
    channel.from = from;
    channel.to = to;
    channel.way = network_.add_way(name(from), name(to));
    channel.latency_s = cluster_.link(name(from), name(to)).latency.count();
    channels_.push_back(std::move(channel));
    return static_cast<int>(channels_.size()) - 1;
  }

  void at(double time_s, What what, int index, int version = 0) {
    events_.add({time_s, next_number_++, what, index, version});
  }

  void send(int index, const Packet& packet, double stretch = 1) {
    channels_[index].stream.push_back(packet);
    at(now_ + stretch * channels_[index].latency_s, What::kDue, index);
  }

  void due(int index) {
    ++channels_[index].ready;
    if (!channels_[index].flowing) flow(index);
  }

  void flow(int index) {
    Channel& channel = channels_[index];
    if (channel.ready == 0) return;
    channel.flowing = true;
    note(network_.begin(channel.way, channel.stream.front().bytes, now_));
  }

  // Channels and ways have the same numbers.
  void note(const std::vector<FlowNetwork::Change>& changes) {
    for (const FlowNetwork::Change& change : changes) {
      at(change.done_s, What::kArrived, change.way, ++channels_[change.way].version);
    }
  }

  void arrived(int index) {
    Channel& channel = channels_[index];
    const Packet packet = channel.stream.front();
    channel.stream.pop_front();
    --channel.ready;
    channel.flowing = false;
    ++channel.version;
    note(network_.end(channel.way, now_));
    if (channel.to == coordinator()) {
      if (packet.kind == Kind::kDone) release(packet.request);
    } else if (places_[channel.to].computing) {
      if (packet.kind == Kind::kSubmit) note_start();
      places_[channel.to].inbox.push_back(packet);
    } else {
      if (packet.kind == Kind::kSubmit) note_start();
      take(packet, channel.to);
      run_next(channel.to);
    }
    flow(index);
  }

  void note_start() {
    if (first_start_ < 0) first_start_ = now_;
  }

  void take(const Packet& packet, int place) {
    take_one(packet, place);
    if (packet.others < 0) return;
    const std::vector<Packet> others = std::exchange(bundles_[packet.others], {});
    free_bundles_.push_back(packet.others);
    for (const Packet& other : others) take_one(other, place);
  }

  void take_one(const Packet& packet, int place) {
    switch (packet.kind) {
      case Kind::kSubmit: make_ready(0, packet.request, 0); break;
      case Kind::kActivations: take_input(packet.stage, packet.request, packet.step); break;
      case Kind::kAnswer: take_result(packet.request, packet.step); break;
      case Kind::kRelease: let_go(places_[place], packet.request); break;
      case Kind::kDone:
      case Kind::kOther: break;
    }
  }

  void take_input(int index, int request, int step) {
    StageState& stage = stages_[index];
    hold(places_[place_of(index)], request);
    int& missing = stage.missing[request * under_way_ + step % under_way_];
    if (--missing > 0) return;
    missing = stage.incoming;
    make_ready(index, request, step);
  }

  void hold(Place& place, int request) {
    if (work_.free_bytes.empty() || !place.holds.insert(request).second) return;
    place.free_bytes -= kinds_[request]->state_bytes[&place - places_.data()];
  }

  void let_go(Place& place, int request) {
    if (place.holds.erase(request) > 0)
      place.free_bytes += kinds_[request]->state_bytes[&place - places_.data()];
  }

  void make_ready(int stage, int request, int step) {
    hold(places_[place_of(stage)], request);
    ReadyStep ready{.request = request,
                    .step_index = step,
                    .ready_since = Seconds(now_),
                    .part = static_cast<std::size_t>(stage)};
    const PipelineWork::Kind& kind = *kinds_[request];
    ready.capacity = kind.capacity;
    if (!kind.steps.empty()) ready.step = kind.steps[step];
    if (!kind.activation_bytes.empty()) ready.activation_bytes = kind.activation_bytes[step][stage];
    places_[place_of(stage)].ready.push_back(ready);
  }

  // Of a step, or of a piece of the prompt, which has left the pipeline.
  void take_result(int request, int step) {
    if (step + 1 >= static_cast<int>(kinds_[request]->pieces)) return take_answer(request);
    ++pieces_done_[request];
    if (std::exchange(held_[request], -1) >= 0) next_piece(request);
  }

  // The first stage has run the last piece that it began.
  void next_piece(int request) {
    const int next = pieces_begun_[request];
    if (next >= static_cast<int>(kinds_[request]->pieces)) return;
    if (next - pieces_done_[request] >= most_pieces_) {
      held_[request] = next;
      return;
    }
    ++pieces_begun_[request];
    make_ready(0, request, next);
  }

  void take_answer(int request) {
    if (first_answer_ < 0) first_answer_ = now_;
    ++answers_;
    pass_marks();
    const std::size_t pieces = kinds_[request]->pieces;
    const PipelineWork::Bytes& bytes = bytes_of(request);
    const std::size_t token = static_cast<std::size_t>(step_[request]) - (pieces - 1);
    if (token < bytes.tokens_made.size() && bytes.tokens_made[token] > 0)
      send(header_to_coordinator_, {Kind::kOther, request, bytes.tokens_made[token]});
    if (static_cast<std::size_t>(++step_[request]) < pieces - 1 + work_.stretch.size()) {
      make_ready(0, request, step_[request]);
      return;
    }
    last_end_ = now_;
    ends_.push_back(now_);
    ++ended_;
    send(header_to_coordinator_, {Kind::kDone, request, bytes.done});
  }

  const PipelineWork::Bytes& bytes_of(int request) const {
    const auto width = work_.widths.empty() ? 0 : work_.widths[static_cast<std::size_t>(request)];
    return kinds_[request]->bytes[static_cast<std::size_t>(width)];
  }

  void pass_marks() {
    const auto all =
        static_cast<double>(work_.requests) * static_cast<double>(work_.stretch.size());
    while (answers_ * kReplayMarks >= all * static_cast<double>(marks_s_.size() + 1)) {
      const double passed_s = now_ - first_start_;
      const bool late = !limits_.marks_s.empty() && passed_s > limits_.marks_s[marks_s_.size()];
      too_long_ = too_long_ || (late && was_late_);
      was_late_ = late;
      marks_s_.push_back(passed_s);
    }
  }

  void run_next(int index) {
    Place& place = places_[index];
    if (place.ready.empty()) return;
    std::vector<std::size_t> next = next_batch(place.ready, work_.scheduling, place.free_bytes);
    place.batch.clear();
    for (const std::size_t at : next) place.batch.push_back(place.ready[at]);
    std::sort(next.begin(), next.end());
    for (auto at = next.rbegin(); at != next.rend(); ++at)
      place.ready.erase(place.ready.begin() + static_cast<std::ptrdiff_t>(*at));
    place.computing = true;
    at(now_ + compute_s(place.batch), What::kComputed, index);
  }

  double compute_s(const std::vector<ReadyStep>& batch) const {
    const ReadyStep& first = batch.front();
    if (batch.size() == 1) return kinds_[first.request]->compute_s[first.step_index][first.part];
    std::vector<PipelineWork::Part> parts;
    for (const ReadyStep& step : batch)
      parts.push_back(part_of(static_cast<int>(step.request), step.step_index));
    return work_.together_s(static_cast<int>(first.part), parts);
  }

  PipelineWork::Part part_of(int request, std::int64_t step) const {
    return {kinds_[request], static_cast<std::size_t>(step), request};
  }

  double stretch(const ReadyStep& step) const {
    const auto pieces = static_cast<std::int64_t>(kinds_[step.request]->pieces);
    return work_.stretch[std::max<std::int64_t>(0, step.step_index - pieces + 1)];
  }

  void computed(int index) {
    Place& place = places_[index];
    place.computing = false;
    const std::vector<ReadyStep> batch = std::exchange(place.batch, {});
    const int stage = static_cast<int>(batch.front().part);
    if (work_.scheduling.max_batch == 1) place.left_s -= compute_s(batch);
    stage_steps_ += static_cast<double>(batch.size());
    too_long_ = too_long_ || now_ - first_start_ + place.left_s > most_s_;
    send_on(stage, batch);
    if (stage == last_stage()) answer(batch);
    for (const ReadyStep& step : batch) {
      const auto request = static_cast<int>(step.request);
      if (stage == 0 && step.step_index + 1 == pieces_begun_[request]) next_piece(request);
    }
    for (const Packet& packet : place.inbox) take(packet, index);
    place.inbox.clear();
    run_next(index);
  }

  void send_on(int stage, const std::vector<ReadyStep>& batch) {
    for (const auto& [channel, message] : stages_[stage].outgoing) {
      sent_.clear();
      for (const ReadyStep& step : batch) {
        const auto number = static_cast<std::size_t>(step.step_index);
        const PipelineWork::Kind& kind = *kinds_[step.request];
        sent_.push_back({{Kind::kActivations, static_cast<int>(step.request),
                          bytes_of(static_cast<int>(step.request)).messages[number][message],
                          work_.messages[message].to, static_cast<int>(number)},
                         stretch(step),
                         !kind.message_is_small.empty() && kind.message_is_small[number][message]});
      }
      send_batch(channel, static_cast<int>(message));
    }
    if (stage != 0 || !work_.returns) return;
    for (const ReadyStep& step : batch)
      take_input(last_stage(), static_cast<int>(step.request), static_cast<int>(step.step_index));
  }

  void answer(const std::vector<ReadyStep>& batch) {
    sent_.clear();
    for (const ReadyStep& step : batch) {
      const auto request = static_cast<int>(step.request);
      const auto number = static_cast<std::size_t>(step.step_index);
      if (answer_ < 0) {
        take_result(request, static_cast<int>(number));
        continue;
      }
      const PipelineWork::Kind& kind = *kinds_[request];
      sent_.push_back(
          {{Kind::kAnswer, request, bytes_of(request).answers[number], 0, static_cast<int>(number)},
           stretch(step),
           !kind.answer_is_small.empty() && kind.answer_is_small[number]});
    }
    if (answer_ >= 0) send_batch(answer_, PipelineWork::kAnswers);
  }

  // What is in sent_, small ones that follow each other as one.
  void send_batch(int channel, int message) {
    for (std::size_t first = 0; first < sent_.size();) {
      std::size_t end = first + 1;
      while (end < sent_.size() && sent_[first].is_small && sent_[end].is_small) ++end;
      Sent sent = sent_[first];
      if (end > first + 1) {
        sent.packet.others = new_bundle();
        for (std::size_t i = first + 1; i < end; ++i) {
          bundles_[sent.packet.others].push_back(sent_[i].packet);
          sent.packet.bytes += sent_[i].packet.bytes;
          sent.stretch = std::max(sent.stretch, sent_[i].stretch);
        }
        sent.packet.bytes += sent.stretch * together_bytes(message, first, end);
      }
      send(channel, sent.packet, sent.stretch);
      first = end;
    }
  }

  // Of some in sent_. Messages of equal sizes are told apart by no encoding, and most are equal to some before.
  double together_bytes(int message, std::size_t first, std::size_t end) {
    sizes_.assign(1, message);
    for (std::size_t i = first; i < end; ++i)
      sizes_.push_back(sent_[i].packet.bytes / sent_[i].stretch);
    const auto [place, is_new] = together_.try_emplace(sizes_, 0);
    if (!is_new) return place->second;
    std::vector<PipelineWork::Part> parts;
    for (std::size_t i = first; i < end; ++i)
      parts.push_back(part_of(sent_[i].packet.request, sent_[i].packet.step));
    return place->second = work_.together_bytes(message, parts);
  }

  int new_bundle() {
    if (free_bundles_.empty()) {
      bundles_.emplace_back();
      return static_cast<int>(bundles_.size()) - 1;
    }
    const int bundle = free_bundles_.back();
    free_bundles_.pop_back();
    return bundle;
  }

  void release(int request) {
    for (int channel : from_coordinator_)
      send(channel, {Kind::kRelease, request, bytes_of(request).release});
    ++released_;
    submit_next();
  }

  void submit_next() {
    const int waiting = work_.requests - submitted_;
    for (int n = admissions(waiting, submitted_ - released_, work_.in_flight); n > 0; --n) {
      const double bytes = bytes_of(submitted_).submit;
      send(from_coordinator_[0], {Kind::kSubmit, submitted_++, bytes});
    }
  }

  const PipelineWork& work_;
  const ClusterSpec& cluster_;
  const ReplayLimits& limits_;
  double most_s_;
  FlowNetwork network_;
  std::vector<StageState> stages_;
  std::vector<Place> places_;
  std::vector<Channel> channels_;
  std::vector<int> from_coordinator_;  // by place
  int header_to_coordinator_ = -1;
  int answer_ = -1;
  std::vector<const PipelineWork::Kind*> kinds_;  // by request
  std::vector<int> step_;                         // that each request has an answer to come of
  int under_way_ = 1;                             // steps of a request, at most
  int most_pieces_ = 1;                           // of a prompt
  std::vector<int> pieces_begun_;                 // by request: at the first stage
  std::vector<int> pieces_done_;                  // of those, through the last
  std::vector<int> held_;                         // the piece that waits for one of them, or -1
  std::vector<Sent> sent_;                        // to one device
  std::vector<double> sizes_;                     // of those that travel as one, behind their place
  std::map<std::vector<double>, double> together_;  // by such sizes: what they take besides
  std::vector<std::vector<Packet>> bundles_;
  std::vector<int> free_bundles_;
  Agenda events_;
  int next_number_ = 0;
  int submitted_ = 0;
  int released_ = 0;
  int ended_ = 0;
  double now_ = 0;
  double first_start_ = -1;
  double first_answer_ = -1;
  double last_end_ = 0;
  std::vector<double> ends_;
  std::vector<double> marks_s_;
  double answers_ = 0;
  double stage_steps_ = 0;
  bool was_late_ = false;  // at the last mark
  bool too_long_ = false;
};

}  // namespace

Replay replay(const PipelineWork& work, const ClusterSpec& cluster, const ReplayLimits& limits) {
  return Player(work, cluster, limits).play();
}

}  // namespace lingua
