#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/sweep/pool.h"
#include "runtime/sweep/results.h"
#include "runtime/sweep/sweep.h"

namespace lingua {
namespace {

using nlohmann::json;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPatience{50};  // until it is asked whether to stop
constexpr std::chrono::milliseconds kAtOnce{0};
constexpr std::chrono::milliseconds kBetweenViews{200};
constexpr std::size_t kFirstFailures = 3;
constexpr std::size_t kMostReasonShown = 300;

ForkPool::Work work_of(const SweepTools& tools, const SweepSpec& spec, const json& settings) {
  try {
    if (tools.prepare) tools.prepare(spec.what, settings);
  } catch (const Error&) {  // the point says so
  }
  return [&tools, &spec, settings] {
    const json kept = kept_results(tools.evaluate(spec.what, settings), spec.keep);
    return kept.dump(-1, ' ', false, json::error_handler_t::replace);
  };
}

double seconds_since(steady_clock::time_point began) {
  return std::chrono::duration<double>(steady_clock::now() - began).count();
}

class Runner {
 public:
  Runner(const SweepRunRequest& request, const SweepTools& tools, const SeeProgress& see,
         const std::function<bool()>& is_stopping)
      : request_(request),
        tools_(tools),
        see_(see),
        is_stopping_(is_stopping),
        points_(load_sweep(request.spec, tools.check)),
        store_(SweepStore::open(request.database, facts(), request.allow_other_version)),
        pool_({.workers = worker_count(request.workers),
               .time_limit_s = request.time_limit_s,
               .in_child = [this] { store_.leave(); }}),
        next_(request.shard.index) {}

  SweepRunOutcome run() {
    while (!pool_.is_idle() || has_next()) {
      outcome_.stopped = is_stopping_ && is_stopping_();
      if (outcome_.stopped) break;
      start_some();
      if (!pool_.is_idle()) {
        const bool goes_on = pool_.has_room() && has_next();
        for (const PieceOfWork& piece : pool_.wait(goes_on ? kAtOnce : kPatience)) take(piece);
      }
      view();
    }
    outcome_.seconds = seconds_since(began_);
    for (const std::string& kept : points_.spec().keep)
      if (outcome_.done > 0 && kept_.count(kept) == 0) outcome_.never_kept.push_back(kept);
    viewed_at_ = {};
    view();
    return std::move(outcome_);
  }

 private:
  SweepFacts facts() const {
    const SweepSpec& spec = points_.spec();
    return {spec.name, spec.text, spec.digest(), tools_.version};
  }

  bool has_next() const { return next_ < points_.size(); }

  // While there is room. Not for long at a time: a sweep of which much is done goes through many that it skips.
  void start_some() {
    const auto until = steady_clock::now() + kBetweenViews;
    while (pool_.has_room() && has_next() && steady_clock::now() < until) {
      const SweepPoint point = points_.at(next_);
      next_ += request_.shard.count;
      if (!points_.is_excluded(point)) start(point);
    }
  }

  // Unless it has a row.
  void start(const SweepPoint& point) {
    SweepConfiguration configuration =
        configuration_of(points_.spec().what, point.settings, tools_.resolve);
    if (has_ended(point, configuration)) return;
    SweepRow row;
    row.id = std::move(configuration.id);
    row.number = static_cast<std::int64_t>(point.number);
    row.settings = configuration.content.dump();
    row.axes = point.axes.dump();
    row.version = tools_.version;
    row.seed = configuration.seed;
    store_.check_new(row.id, row.number);
    pool_.start(point.number, work_of(tools_, points_.spec(), point.settings));
    under_way_[point.number] = std::move(row);
  }

  bool has_ended(const SweepPoint& point, const SweepConfiguration& configuration) {
    const auto head = store_.head_of(point.number);
    if (!head) return false;
    if (head->id != configuration.id) {
      throw InputError(fmt::format(
          "{}: point {} was run with other files than are there now, or resolves to something "
          "else; put them back, or name another database",
          request_.database.string(), point.number));
    }
    if (!head->done && request_.retry_failed) return false;
    ++outcome_.before;
    return true;
  }

  void take(const PieceOfWork& piece) {
    const auto started = under_way_.find(piece.tag);
    LINGUA_CHECK(started != under_way_.end(), "{}", piece.tag);
    SweepRow row = std::move(started->second);
    under_way_.erase(started);
    row.done = piece.done;
    (piece.done ? row.results : row.reason) = piece.text;
    row.seconds = piece.seconds;
    row.finished = utc_now();
    store_.add(row);
    ++(piece.done ? outcome_.done : outcome_.failed);
    if (piece.done) note_kept(row);
    if (!piece.done && outcome_.first_failures.size() < kFirstFailures) {
      outcome_.first_failures.push_back(
          fmt::format("{}: {}", row.id, one_line(row.reason, kMostReasonShown)));
    }
  }

  // Which of the names in `keep` some result had.
  void note_kept(const SweepRow& row) {
    const auto& keep = points_.spec().keep;
    if (kept_.size() == keep.size()) return;
    const json results = json::parse(row.results, nullptr, false);
    if (!results.is_object()) return;
    for (const auto& [name, value] : results.items())
      for (const std::string& kept : keep)
        if (is_kept_by(kept, name)) kept_.insert(kept);
  }

  void view() {
    const auto now = steady_clock::now();
    if (!see_ || now - viewed_at_ < kBetweenViews) return;
    viewed_at_ = now;
    see_({outcome_.before, outcome_.done, outcome_.failed, std::min(next_, points_.size()),
          points_.size(), pool_.under_way(), seconds_since(began_)});
  }

  const SweepRunRequest& request_;
  const SweepTools& tools_;
  const SeeProgress& see_;
  const std::function<bool()>& is_stopping_;
  const steady_clock::time_point began_ = steady_clock::now();
  steady_clock::time_point viewed_at_;
  SweepPoints points_;
  SweepStore store_;
  ForkPool pool_;
  std::uint64_t next_;
  std::map<std::uint64_t, SweepRow> under_way_;
  std::set<std::string> kept_;
  SweepRunOutcome outcome_;
};

}  // namespace

SweepRunOutcome run_sweep(const SweepRunRequest& request, const SweepTools& tools,
                          const SeeProgress& see, const std::function<bool()>& is_stopping) {
  return Runner(request, tools, see, is_stopping).run();
}

SweepPreview preview_sweep(const SweepRunRequest& request, const SweepTools& tools, int samples) {
  const SweepPoints points(load_sweep(request.spec, tools.check));
  SweepPreview preview;
  preview.name = points.spec().name;
  preview.workers = worker_count(request.workers);
  preview.points = points.count(request.shard);
  const std::uint64_t size = points.size();
  const std::uint64_t of_shard =
      request.shard.index < size ? (size - request.shard.index - 1) / request.shard.count + 1 : 0;
  preview.excluded = of_shard - preview.points;
  ForkPool pool({.workers = preview.workers, .time_limit_s = request.time_limit_s});
  double seconds = 0;
  const auto end_some = [&] {
    for (const PieceOfWork& piece : pool.wait(kPatience)) {
      ++preview.sampled;
      if (!piece.done) ++preview.samples_failed;
      seconds += piece.seconds;
    }
  };
  std::uint64_t from = 0;
  for (int i = 0; i < samples; ++i) {
    from =
        std::max(from, size / static_cast<std::uint64_t>(samples) * static_cast<std::uint64_t>(i));
    const auto point = points.next(from, request.shard);
    if (!point) break;
    from = point->number + 1;
    while (!pool.has_room()) end_some();
    pool.start(point->number, work_of(tools, points.spec(), point->settings));
  }
  while (!pool.is_idle()) end_some();
  if (preview.sampled > 0) {
    preview.seconds_per_point = seconds / preview.sampled;
    preview.estimate_s =
        preview.seconds_per_point * static_cast<double>(preview.points) / preview.workers;
  }
  return preview;
}

}  // namespace lingua
