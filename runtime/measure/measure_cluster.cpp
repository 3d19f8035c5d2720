#include "runtime/measure/measure_cluster.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <tuple>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/engine/exercise.h"
#include "runtime/engine/link_exercise.h"
#include "runtime/measure/arrivals.h"
#include "runtime/measure/ways_to_compute.h"

namespace lingua {
namespace {

constexpr Seconds kPatience{60};  // for an answer, beyond the time that was asked for
// Over all devices: what else their machines do is not in the figures of one.
constexpr int kRounds = 5;
constexpr int kEchoes = 15;
constexpr int kBlocks = 32;
constexpr std::int64_t kFirstBlock = 8 << 10;
constexpr double kMorePays = 1.03;  // threads, or cores
constexpr std::array kDTypes = {DType::kFloat32, DType::kBFloat16, DType::kInt8};
// Nothing that devices and links do is outside of these, as cluster files have it.
constexpr double kMostPerSecond = 1e18;
constexpr double kLongest_s = 3600;

class Measurer {
 public:
  Measurer(Mailbox& mailbox, const MeasureJob& job)
      : mailbox_(mailbox), job_(job), scale_(job.quick ? 1.0 / 3 : 1) {
    for (const DeviceSpec& device : job.devices) ends_.push_back(device.name);
    ends_.push_back(kCoordinator);
    const auto pairs = static_cast<double>(ends_.size() * (ends_.size() - 1));
    const auto devices = static_cast<double>(job.devices.size());
    total_ = devices + rounds() * static_cast<double>(kDTypes.size()) + pairs +
             (job.devices.size() > 1 ? 1 : 0);
  }

  Measurement run() {
    const Seconds start = mailbox_.now();
    for (const DeviceSpec& device : job_.devices) {
      step(fmt::format("{} tries its threads and cores", device.name));
      result_.devices.push_back(device_figures(device));
    }
    for (int round = 1; round <= rounds(); ++round) {
      for (const DType dtype : kDTypes) {
        step(fmt::format("all compute in {}, round {} of {}", dtype_name(dtype), round, rounds()));
        add_round(ExertionKind::kProducts, dtype, &SpeedFigures::flops_per_s);
        add_round(ExertionKind::kWeights, dtype, &SpeedFigures::memory_bytes_per_s);
      }
    }
    for (const DeviceName& from : ends_) {
      for (const DeviceName& to : ends_) {
        if (from == to) continue;
        step(fmt::format("from {} to {}", from, to));
        measure_link(from, to);
      }
    }
    for (const auto& [ends, echo] : echoes_) set_latency(ends, echo);
    if (job_.devices.size() > 1) {
      step("all links at once");
      measure_medium();
    }
    step("");
    result_.took = mailbox_.now() - start;
    return std::move(result_);
  }

 private:
  struct Echoes {
    std::vector<double> idle_s;
    std::vector<double> loaded_s;
    double bytes = 0;
  };

  void step(const std::string& next) {
    if (job_.progress) job_.progress(done_, total_, next);
    ++done_;
  }

  int rounds() const { return job_.quick ? 1 : kRounds; }
  Seconds scaled(double seconds) const { return Seconds(seconds * scale_); }

  // ---- talking ----

  [[noreturn]] static void nonsense(const DeviceName& name, const std::string& what) {
    throw WorldError(fmt::format("device '{}' answers nonsense: {}", name, one_line(what)));
  }

  void send(const DeviceName& to, MessageBody body) {
    if (to != kCoordinator) {
      mailbox_.send(to, std::move(body));
      return;
    }
    // To this end itself: an order, or what it has found out.
    if (const auto* order = std::get_if<ExerciseLink>(&body)) {
      own_.take(*order, {}, mailbox_.now(), effects_);
      carry_out();
    } else if (auto* times = std::get_if<LinkTimes>(&body)) {
      heard_.push_back({kCoordinator, std::move(*times), {}, {}, 0});
    }
  }

  void carry_out() {
    Effects effects = std::exchange(effects_, {});
    for (Letter& letter : effects.letters) send(letter.to, std::move(letter.body));
  }

  // The next answer to `number` from a device. What is of another exercise is dropped.
  template <class Answer>
  Answer await(const DeviceName& from, std::int64_t number, Seconds time) {
    const Seconds deadline = mailbox_.now() + time + kPatience;
    while (true) {
      for (auto message = heard_.begin(); message != heard_.end(); ++message) {
        auto* answer = std::get_if<Answer>(&message->body);
        if (answer == nullptr || message->from != from || answer->number != number) continue;
        Answer result = std::move(*answer);
        heard_.erase(message);
        return result;
      }
      auto message = mailbox_.receive(deadline);
      if (!message) {
        throw WorldError(
            fmt::format("device '{}' has not answered for {:g} s, while it was measured", from,
                        (time + kPatience).count()));
      }
      take(std::move(*message));
    }
  }

  void take(Message message) {
    const auto take_at_this_end = [&](const auto& body) {
      own_.take(body, message, mailbox_.now(), effects_);
      carry_out();
    };
    if (std::holds_alternative<Stop>(message.body)) {
      throw WorldError("the measuring was told to end");
    } else if (const auto* lost = std::get_if<PeerLost>(&message.body)) {
      throw WorldError(fmt::format("device '{}' was lost while it was measured: {}", message.from,
                                   lost->reason));
    } else if (const auto* cut = std::get_if<LinkLost>(&message.body)) {
      throw WorldError(fmt::format("device '{}' does not reach '{}': {}", message.from,
                                   one_line(cut->peer), one_line(cut->reason)));
    } else if (const auto* failed = std::get_if<Failed>(&message.body)) {
      throw WorldError(fmt::format("device '{}' cannot be measured: {}", message.from,
                                   one_line(failed->reason)));
    } else if (const auto* echo = std::get_if<Echo>(&message.body)) {
      take_at_this_end(*echo);
    } else if (const auto* block = std::get_if<Bulk>(&message.body)) {
      take_at_this_end(*block);
    } else if (std::holds_alternative<Exercised>(message.body) ||
               std::holds_alternative<LinkTimes>(message.body)) {
      if (heard_.size() > 2 * ends_.size()) nonsense(message.from, "more than it was asked for");
      heard_.push_back(std::move(message));
    } else {
      nonsense(message.from, describe(message.body) + ", while it is measured");
    }
  }

  // ---- devices ----

  struct Reached {
    std::vector<double> per_second;
    Seconds took{0};
  };

  Reached exercised(const DeviceName& name, ExertionKind kind, DType dtype,
                    const Computing& computing, Seconds time, std::string* trouble = nullptr) {
    const Exercise order{++number_, kind, dtype, computing, time};
    mailbox_.send(name, order);
    const auto answer = await<Exercised>(name, order.number, time);
    if (!answer.trouble.empty()) {
      if (trouble == nullptr)
        throw WorldError(
            fmt::format("device '{}' cannot be measured: {}", name, one_line(answer.trouble)));
      *trouble = answer.trouble;
      return {};
    }
    if (answer.times_s.empty()) nonsense(name, "no times");
    const bool takes_time = kind != ExertionKind::kSegments;
    for (const double time_s : answer.times_s) {
      if (!(time_s <= kLongest_s) || time_s < 0 || (takes_time && time_s == 0))
        nonsense(name, fmt::format("it computes for {:g} s", time_s));
    }
    Reached reached{rates(order, answer),
                    Seconds(std::accumulate(answer.times_s.begin(), answer.times_s.end(), 0.0))};
    for (const double rate : reached.per_second) {
      if (takes_time && !(rate >= 1 && rate <= kMostPerSecond))
        nonsense(name, fmt::format("it computes {:g} a second", rate));
    }
    return reached;
  }

  SpeedFigures fp32_speed(const DeviceName& name, const Computing& computing, Seconds time) {
    const auto speed = [&](ExertionKind kind) {
      return figure_of(exercised(name, kind, DType::kFloat32, computing, time).per_second);
    };
    return {speed(ExertionKind::kProducts), speed(ExertionKind::kWeights)};
  }

  DeviceFigures device_figures(const DeviceSpec& device) {
    DeviceFigures figures;
    figures.name = device.name;
    figures.cores = device.cores;
    double best = 0;
    const std::vector<Computing> ways = ways_to_compute(device);
    const double each_s = std::min(0.3, 1.2 / static_cast<double>(ways.size()));
    for (const Computing& computing : ways) {
      const SpeedFigures now = fp32_speed(device.name, computing, scaled(each_s));
      figures.tried.push_back({computing, now});
      const double worth = std::sqrt(now.flops_per_s.value * now.memory_bytes_per_s.value);
      if (worth <= best * (best > 0 ? kMorePays : 1)) continue;
      best = worth;
      figures.best = computing;
    }
    for (const DType dtype : kDTypes) {
      std::string trouble;
      exercised(device.name, ExertionKind::kProducts, dtype, figures.best, Seconds(0), &trouble);
      if (trouble.empty() || dtype == DType::kFloat32) figures.by_dtype[dtype] = {};
    }
    std::vector<double> overheads =
        exercised(device.name, ExertionKind::kSegments, DType::kFloat32, figures.best, scaled(0.3))
            .per_second;
    for (double& each : overheads) each = 1 / each;
    figures.overhead_s = figure_of(std::move(overheads));
    figures.memory_bytes = memory_of(device);
    return figures;
  }

  // Of all devices one after the other, so that what changes for all is in the figures of all.
  void add_round(ExertionKind kind, DType dtype, Figure SpeedFigures::*figure) {
    for (DeviceFigures& device : result_.devices) {
      const auto speed = device.by_dtype.find(dtype);
      if (speed != device.by_dtype.end()) speed->second.*figure = figure_with(device, kind, dtype);
    }
  }

  // Of all rounds until now and another one. Where a device is so slow that one took the time of all, that one does.
  Figure figure_with(const DeviceFigures& device, ExertionKind kind, DType dtype) {
    constexpr double kRound_s = 0.2;
    Reached& all = reached_[{device.name, kind, dtype}];
    if (all.took < Seconds(kRounds * kRound_s)) {
      const Reached now = exercised(device.name, kind, dtype, device.best, Seconds(kRound_s));
      all.per_second.insert(all.per_second.end(), now.per_second.begin(), now.per_second.end());
      all.took += now.took;
    }
    return figure_of(all.per_second);
  }

  double memory_of(const DeviceSpec& device) {
    // In no time a device tells what it believes to have.
    const Exercise order{
        ++number_, ExertionKind::kMemory, DType::kFloat32, {}, Seconds(job_.quick ? 0 : 3)};
    mailbox_.send(device.name, order);
    const auto answer = await<Exercised>(device.name, order.number, order.time);
    if (!answer.trouble.empty())
      throw WorldError(
          fmt::format("device '{}' cannot be measured: {}", device.name, one_line(answer.trouble)));
    if (!(answer.memory_bytes >= 1 && answer.memory_bytes <= kMostPerSecond))
      nonsense(device.name, fmt::format("{:g} bytes of memory", answer.memory_bytes));
    return answer.memory_bytes;
  }

  // ---- links ----

  // Orders it. Gives the number under which both ends answer.
  std::int64_t order_link(const DeviceName& from, const DeviceName& to, int blocks,
                          std::int64_t block_bytes, int echoes) {
    const ExerciseLink order{++number_, to, blocks, block_bytes, echoes};
    send(from, order);
    return order.number;
  }

  Arrivals arrivals_of(const DeviceName& at, const DeviceName& from, std::int64_t number,
                       int blocks, Seconds time) {
    const auto times = await<LinkTimes>(at, number, time);
    if (times.peer != from || static_cast<int>(times.arrivals_s.size()) != blocks)
      nonsense(at, "times of other blocks");
    if (!std::is_sorted(times.arrivals_s.begin(), times.arrivals_s.end()))
      nonsense(at, "blocks that came before those before them");
    if (!(times.message_bytes >= 1 && times.message_bytes <= kMostPerSecond))
      nonsense(at, fmt::format("blocks of {:g} bytes", times.message_bytes));
    return {times.arrivals_s, times.message_bytes};
  }

  std::vector<double> echoes_of(const DeviceName& from, const DeviceName& to, std::int64_t number,
                                double* bytes) {
    const auto times = await<LinkTimes>(from, number, Seconds(0));
    if (times.peer != to || times.echoes_s.size() != kEchoes) nonsense(from, "other echoes");
    for (const double time_s : times.echoes_s) {
      if (!(time_s >= 0 && time_s <= kLongest_s))
        nonsense(from, fmt::format("an echo after {:g} s", time_s));
    }
    if (bytes != nullptr) *bytes = times.message_bytes;
    return times.echoes_s;
  }

  // So large that all blocks take the time at this rate.
  static std::int64_t block_for(double bytes_per_s, Seconds time) {
    const double bytes = bytes_per_s * time.count() / kBlocks;
    return static_cast<std::int64_t>(std::clamp(bytes, 1.0, static_cast<double>(kMostBlockBytes)));
  }

  void measure_link(const DeviceName& from, const DeviceName& to) {
    LinkFigures& link = result_.links[{from, to}];
    const Seconds time = scaled(0.6);
    Echoes& own = echoes_[{from, to}];
    own.idle_s = echoes_of(from, to, order_link(from, to, 0, 1, kEchoes), &own.bytes);
    // Small messages first: what comes first opens the connection.
    const Arrivals small =
        arrivals_of(to, from, order_link(from, to, kMostTimes, 1, 0), kMostTimes, Seconds(0));
    Arrivals blocks = arrivals_of(to, from, order_link(from, to, kBlocks, kFirstBlock, 0), kBlocks,
                                  kLongestTrial);
    const double first = blocks.rate();
    if (blocks.lasts() < time.count() / 2) {
      const DeviceName other = another_than(from, to);
      const std::int64_t number = order_link(from, to, kBlocks, block_for(first, time), 0);
      // While it sends as much as goes, it is asked for echoes elsewhere.
      if (!other.empty()) {
        echoes_[{from, other}].loaded_s =
            echoes_of(from, other, order_link(from, other, 0, 1, kEchoes), nullptr);
      }
      blocks = arrivals_of(to, from, number, kBlocks, kLongestTrial);
    }
    link.bytes_per_s = figure_of(blocks.rates());
    link.bytes_per_s.value = blocks.rate();
    link.message_s = std::max(0.0, small.gap() - small.message_bytes / link.bytes_per_s.value);
  }

  // To whom else it can send: the next in turn, so that each pair has its turn.
  DeviceName another_than(const DeviceName& from, const DeviceName& to) const {
    const auto place = std::find(ends_.begin(), ends_.end(), to) - ends_.begin();
    for (std::size_t i = 1; i < ends_.size(); ++i) {
      const DeviceName& name = ends_[(static_cast<std::size_t>(place) + i) % ends_.size()];
      if (name != from && name != to) return name;
    }
    return "";
  }

  // Without the time that the bytes of an echo take, there and back.
  void set_latency(const std::pair<DeviceName, DeviceName>& ends, const Echoes& echoes) {
    const LinkFigures& back = result_.links.at({ends.second, ends.first});
    LinkFigures& link = result_.links.at(ends);
    const double bytes_s =
        echoes.bytes * (1 / link.bytes_per_s.value + 1 / back.bytes_per_s.value) / 2;
    const auto one_way = [&](std::vector<double> times_s) {
      for (double& time_s : times_s) time_s = std::max(0.0, time_s / 2 - bytes_s);
      return figure_of(std::move(times_s));
    };
    link.latency_s = one_way(echoes.idle_s);
    if (!echoes.loaded_s.empty()) link.loaded_latency_s = one_way(echoes.loaded_s);
  }

  // Each device sends to the next at once.
  void measure_medium() {
    const std::size_t count = job_.devices.size();
    const Seconds time = scaled(1);
    std::vector<std::int64_t> numbers;
    for (std::size_t i = 0; i < count; ++i) {
      const DeviceName& to = ends_[(i + 1) % count];
      const double alone = result_.links.at({ends_[i], to}).bytes_per_s.value;
      result_.alone_bytes_per_s += alone;
      numbers.push_back(order_link(ends_[i], to, kMostTimes, block_for(alone, time) / 2 + 1, 0));
    }
    std::vector<Arrivals> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back(arrivals_of(ends_[(i + 1) % count], ends_[i], numbers[i], kMostTimes,
                                static_cast<double>(count) * kLongestTrial));
    }
    result_.together_bytes_per_s = rate_together(all);
  }

  static constexpr Seconds kLongestTrial{60};

  Mailbox& mailbox_;
  const MeasureJob& job_;
  const double scale_;
  std::vector<DeviceName> ends_;  // devices, then the coordinator
  Measurement result_;
  std::map<std::tuple<DeviceName, ExertionKind, DType>, Reached> reached_;
  std::map<std::pair<DeviceName, DeviceName>, Echoes> echoes_;
  LinkExercise own_;
  Effects effects_;
  std::vector<Message> heard_;  // answers that nobody has waited for yet
  std::int64_t number_ = 0;
  double done_ = 0;
  double total_ = 0;
};

}  // namespace

Measurement measure_cluster(Mailbox& mailbox, const MeasureJob& job) {
  LINGUA_CHECK(!job.devices.empty());
  return Measurer(mailbox, job).run();
}

}  // namespace lingua
