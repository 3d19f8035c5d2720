#include <fmt/format.h>

#include <mutex>
#include <new>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "runtime/app/json_settings.h"
#include "runtime/app/planning.h"
#include "runtime/app/simulation.h"
#include "runtime/app/sweeping.h"
#include "runtime/app/version.h"
#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/include/lingua/lingua.h"
#include "runtime/sweep/pool.h"

namespace lingua {
namespace {

using nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{1} << 30;  // of a result
constexpr std::chrono::milliseconds kBetweenTicks{100};

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// What becomes of an error of ours for whoever calls the library.
template <class Act>
auto for_caller(const Act& act) {
  try {
    return act();
  } catch (const Error& error) {
    throw Failure(static_cast<int>(error.exit_code()), error.what());
  } catch (const std::bad_alloc&) {
    throw Failure(static_cast<int>(ExitCode::kWorld), "out of memory");
  }
}

using Work = std::function<json(const Audience& audience)>;

// In the child: a line with how it went and what was said, then the result.
std::string answer_of(const Work& work) {
  json head = {{"code", 0}, {"notes", json::array()}};
  std::mutex mutex;
  Audience audience;
  audience.say = [&](const std::string& text) {
    const std::lock_guard lock(mutex);
    head["notes"].push_back(text);
  };
  std::string result;
  try {
    result = for_caller([&] { return text_of(work(audience)); });
  } catch (const Failure& failure) {
    head["code"] = failure.exit_code();
    head["reason"] = failure.what();
  } catch (const std::exception& error) {
    head["code"] = static_cast<int>(ExitCode::kBug);
    head["reason"] = fmt::format("unexpected error: {}", error.what());
  }
  return text_of(head) + '\n' + result;
}

// The work in a process of its own.
std::string made_apart(const Work& work, const CallHooks& hooks) {
  PieceOfWork piece = for_caller([&] {
    ForkPool pool({.workers = 1, .most_bytes = kMostBytes});
    pool.start(0, [&] { return answer_of(work); });
    while (true) {
      std::vector<PieceOfWork> ended = pool.wait(kBetweenTicks);
      if (!ended.empty()) return std::move(ended.front());
      if (hooks.tick) hooks.tick();
    }
  });
  if (!piece.done) throw Failure(static_cast<int>(ExitCode::kWorld), piece.text);
  const std::size_t end = piece.text.find('\n');
  const json head = json::parse(piece.text.substr(0, end));
  if (hooks.note) {
    for (const json& note : head.at("notes")) hooks.note(note.get<std::string>());
  }
  if (head.at("code") != 0) throw Failure(head.at("code"), head.at("reason"));
  return piece.text.erase(0, end + 1);
}

json parsed(const std::string& settings) {
  json value = json::parse(settings, nullptr, false);
  if (value.is_object()) return value;
  throw UsageError(
      fmt::format("settings: '{}' is no JSON object of settings", one_line(settings, 60)));
}

std::string simulated(const std::string& settings, bool numerics, const CallHooks& hooks) {
  return made_apart(
      [&](const Audience& audience) {
        auto request = request_of<SimulationRequest>(parsed(settings), visit_simulation);
        request.numerics = numerics;
        return simulate_json(request, audience);
      },
      hooks);
}

SweepRunRequest run_of(const SweepCall& call) {
  SweepRunRequest request;
  request.spec = call.spec;
  request.database = call.database;
  request.workers = call.workers;
  request.time_limit_s = call.point_time_limit_s;
  request.retry_failed = call.retry_failed;
  request.allow_other_version = call.allow_other_version;
  return request;
}

}  // namespace

std::string plan(const std::string& settings, const CallHooks& hooks) {
  return made_apart(
      [&](const Audience& audience) {
        return plan_json(request_of<PlanningRequest>(parsed(settings), visit_planning), audience);
      },
      hooks);
}

std::string simulate(const std::string& settings, const CallHooks& hooks) {
  return simulated(settings, false, hooks);
}

std::string emulate(const std::string& settings, const CallHooks& hooks) {
  return simulated(settings, true, hooks);
}

std::string settings_of(const std::string& verb) {
  return for_caller([&] {
    if (verb == "plan") {
      PlanningRequest request;
      return text_of(
          settings_json([&](SettingVisitor& visitor) { visit_planning(request, visitor); }));
    }
    if (verb != "simulate" && verb != "emulate")
      throw UsageError(fmt::format("'{}' has no settings here; write plan, simulate or emulate",
                                   one_line(verb, 40)));
    SimulationRequest request;
    return text_of(
        settings_json([&](SettingVisitor& visitor) { visit_simulation(request, visitor); }));
  });
}

std::string run_sweep(const SweepCall& call, const SweepHooks& hooks) {
  return for_caller([&] {
    const auto see = [&](const SweepProgress& now) {
      if (hooks.advance) hooks.advance({now.before, now.done, now.failed, now.size, now.seconds});
    };
    const SweepRunRequest request = run_of(call);
    return text_of(outcome_json(run_sweep(request, sweep_tools(version_id()), see), request));
  });
}

std::string preview_sweep(const SweepCall& call, int samples) {
  return for_caller([&] {
    return text_of(preview_json(preview_sweep(run_of(call), sweep_tools(version_id()), samples)));
  });
}

std::string sweep_rows(const std::string& database) {
  return for_caller([&] {
    std::ostringstream rows;
    export_sweep(database, SweepFormat::kJsonLines, rows);
    return std::move(rows).str();
  });
}

Versions versions() {
  const ProgramVersion& version = program_version();
  return {version.number, version.commit, version.libtorch, version.simgrid, version.cbc};
}

}  // namespace lingua
