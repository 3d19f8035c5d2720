// What the coordinator does when something of the running deployment is lost.

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/engine/coordinator.h"

namespace lingua {
namespace {

constexpr std::size_t kMostLinksLost = 4096;  // that are kept; who says so may make them up

}  // namespace

bool Coordinator::survives(const Message& message, const std::string& trouble) const {
  return job_.recover && !gathering_ && !trouble.empty() &&
         !membership_.lost.contains(message.from);
}

// One that no plan runs on at present is merely none to plan with.
void Coordinator::lose(const DeviceName& device, const std::string& why, Seconds now,
                       Effects& effects) {
  const auto has_it = [&](const Deployer& deployer) {
    const std::vector<DeviceName>& workers = deployer.workers();
    return std::find(workers.begin(), workers.end(), device) != workers.end();
  };
  // What only stores is missed by nobody, but where its answer is awaited.
  const bool is_used = (coming_ && has_it(*coming_)) ||
                       std::any_of(services_.begin(), services_.end(), [&](const Service& service) {
                         return crossing_ ? has_it(*service.deployer)
                                          : service.deployer->deployment().plan.runs_on(device);
                       });
  membership_.lost.insert(device);
  if (is_used && job_.keep != Keep::kNothing)
    result_.notes.push_back(fmt::format(
        "event log and metrics lack what {} had noted and not sent when it was lost", device));
  std::erase(workers_, device);
  stall_.watch(workers_);
  std::erase_if(links_lost_, [&](const auto& item) {
    return item.first.first == device || item.first.second == device;
  });
  if (links_lost_.empty()) settled_ = kNever;
  show();
  if (is_used) begin_again(why, now, effects);
}

// All requests that run wait again and are admitted to the new deployment, which begins with what they have.
// What they had on the devices goes when these hear of it: before they are ready for anything new, so that what
// they have sent before has arrived when the first request begins again.
void Coordinator::begin_again(const std::string& why, Seconds now, Effects& effects) {
  if (!recovering_) recovering_ = Recovery{why, now, now, 0, 0};
  if (recovering_->why != why) recovering_->why += "; " + why;
  if (job_.on_change) job_.on_change(why + "; planning without");
  for (const RequestId request : table_.suspend_all()) {
    resuming_.insert(request);
    ++recovering_->requests;
  }
  last_token_.clear();  // a pause of a move is none of a loss
  note_held();
  const auto leave = [&](const Deployer& deployer) {
    const std::set<DeviceName> devices = deployer.all_involved();
    leaving_[deployer.deployment().epoch] = {devices.begin(), devices.end()};
    given_up_.insert(deployer.deployment().epoch);
    old_headers_.insert(deployer.deployment().plan.header());
  };
  for (const Service& service : services_) leave(*service.deployer);
  if (coming_) leave(*coming_);
  crossing_.reset();
  services_.clear();
  coming_.reset();
  end_move(why, now);
  plan_again(now, effects);
}

// Devices that prepared for what never came to serve have dropped what that does not store, and one that has begun
// anew since a deployment has nothing of it.
void Coordinator::note_held() {
  if (!services_.empty()) held_.clear();
  for (const Service& service : services_) {
    const Deployment& deployment = service.deployer->deployment();
    for (const auto& [device, segments] : held_by(deployment.plan)) {
      const auto is_newer = [&, &name = device](const JoinRecord& join) {
        return join.device == name && join.after >= deployment.epoch;
      };
      if (std::none_of(result_.joins.begin(), result_.joins.end(), is_newer))
        held_[device].insert(segments.begin(), segments.end());
    }
  }
  if (!services_.empty() || !coming_) return;
  const Held prepared = held_by(coming_->deployment().plan);
  for (auto& [device, segments] : held_) {
    const auto place = prepared.find(device);
    std::erase_if(segments, [&](SegmentId id) {
      return place == prepared.end() || !place->second.contains(id);
    });
  }
}

void Coordinator::plan_again(Seconds now, Effects& effects) {
  LossState loss{membership_, now, held_, requests_left(now)};
  for (const DeviceName& device : membership_.lost) loss.held.erase(device);
  RecoveryPlan planned;
  try {
    planned = job_.recover(loss);
  } catch (const Error& error) {
    waits_why_ = fmt::format("{}; {}", recovering_->why, error.what());
    if (job_.wait_for_devices <= Seconds(0))
      throw WorldError(fmt::format("{}; {}", waits_why_, progress()));
    if (waits_until_ == kNever) waits_until_ = now + job_.wait_for_devices;
    if (job_.on_change)
      job_.on_change(fmt::format("{}; waiting {:g} s for a device to join", error.what(),
                                 (waits_until_ - now).count()));
    return;
  }
  waits_until_ = kNever;
  recovering_->chosen = planned.chosen;
  recovering_->forecast = planned.forecast;
  Deployment& next = planned.deployment;
  next.epoch = last_epoch_ + 1;
  next.replaces_all = true;
  const std::vector<DeviceName> devices = next.plan.devices();
  for (const auto& [epoch, workers] : std::exchange(leaving_, {})) {
    for (const DeviceName& worker : workers) {
      const bool stays = std::find(devices.begin(), devices.end(), worker) != devices.end();
      if (!stays && !membership_.lost.contains(worker)) effects.send(worker, Retire{epoch});
    }
  }
  deploy(std::move(next), effects);
  stall_.moved(now);
}

// It may have been here before: then the process that was is lost, whether or not that has been seen.
void Coordinator::join(const DeviceName& device, Seconds now, Effects& effects) {
  if (gathering_ || (!job_.recover && !job_.rebalance)) return;
  const bool works = std::find(workers_.begin(), workers_.end(), device) != workers_.end();
  if (works && job_.recover) lose(device, fmt::format("{} has begun anew", device), now, effects);
  membership_.lost.erase(device);
  held_.erase(device);
  std::erase_if(membership_.cut,
                [&](const auto& link) { return link.first == device || link.second == device; });
  result_.joins.push_back({device, now, last_epoch_});
  newcomers_.push_back(device);
  if (job_.on_change) job_.on_change(fmt::format("{} has joined", device));
  show();
  if (waits_until_ < kNever) {
    plan_again(now, effects);
  } else {
    consider_move(false, now, effects);
  }
}

void Coordinator::note_first_use(Seconds now) {
  for (const DeviceName& device : current().plan.devices()) {
    const auto join = std::find_if(result_.joins.rbegin(), result_.joins.rend(),
                                   [&](const JoinRecord& one) { return one.device == device; });
    if (join == result_.joins.rend() || join->first_use) continue;
    join->first_use = now;
    keep({device, event::kJoin, -1, -1, current().epoch, join->joined, now, 0});
  }
}

void Coordinator::end_recovery(Seconds now) {
  if (!recovering_) return;
  recovering_->ready = now;
  recovering_->weights_bytes = services_.back().deployer->delivery().bytes_total();
  keep({kCoordinator, event::kRecovery, -1, -1, current().epoch, recovering_->lost, now,
        recovering_->weights_bytes});
  result_.recoveries.push_back(*std::exchange(recovering_, std::nullopt));
}

// Those that have ended or were cancelled are not waited for.
void Coordinator::note_resumed(RequestId request, Seconds now) {
  if (resuming_.erase(request) == 0 || recovering_) return;
  std::erase_if(resuming_, [&](RequestId other) { return table_.find(other) == nullptr; });
  if (resuming_.empty()) result_.recoveries.back().resumed = now;
}

// All its tokens had come, and its end was lost.
bool Coordinator::finish_if_complete(RequestId request, Effects& effects) {
  const RequestTable::Entry& entry = *table_.find(request);
  if (!entry.admitted || entry.submit.max_tokens == 0) return false;
  const std::optional<Ending> ending = checks_.ending(request);
  if (!ending) return false;
  note_end(entry, *ending, effects);
  effects.send(entry.client, Done{entry.own, checks_.tokens(request), {}, *ending});
  meter_.made(request, static_cast<std::int64_t>(checks_.tokens(request).size()) - entry.earlier);
  checks_.refused(request);
  if (entry.running) release(request, effects);
  table_.end(request);
  return true;
}

// Of a request that another device has refused meanwhile, or from a header whose deployment was lost, of one that
// has begun again elsewhere or has ended.
bool Coordinator::is_stale(const Message& message) const {
  RequestId request = -1;
  if (const auto* token = std::get_if<TokenMade>(&message.body)) request = token->request;
  if (const auto* done = std::get_if<Done>(&message.body)) request = done->request;
  if (refused_.contains(request)) return true;
  if (request < 0 || !old_headers_.contains(message.from)) return false;
  const RequestTable::Entry* entry = table_.find(request);
  if (entry == nullptr) return true;
  if (!entry->running) return false;
  const auto place = std::find_if(services_.begin(), services_.end(), [&](const Service& s) {
    return s.deployer->deployment().epoch == entry->submit.epoch;
  });
  return place == services_.end() || place->deployer->deployment().plan.header() != message.from;
}

// A deployment that serves or comes, in whatever direction.
bool Coordinator::uses(const DeviceName& a, const DeviceName& b) const {
  const auto joins = [&](const DeviceName& from, const DeviceName& to) {
    return (from == a && to == b) || (from == b && to == a);
  };
  const auto plan_uses = [&](const Plan& plan) {
    return joins(plan.tailer(), plan.header()) ||
           std::any_of(plan.transfers.begin(), plan.transfers.end(),
                       [&](const Transfer& t) { return joins(t.from, t.to); });
  };
  return (coming_ && plan_uses(coming_->deployment().plan)) ||
         std::any_of(services_.begin(), services_.end(), [&](const Service& service) {
           return plan_uses(service.deployer->deployment().plan);
         });
}

// The device at the other end may be gone altogether, which will be seen here soon.
void Coordinator::note_link(const DeviceName& from, const LinkLost& link, Seconds now) {
  const std::pair<DeviceName, DeviceName> here(from, link.peer);
  const std::pair<DeviceName, DeviceName> there(link.peer, from);
  const bool is_known = membership_.lost.contains(link.peer) || membership_.cut.contains(here) ||
                        membership_.cut.contains(there) || links_lost_.contains(here) ||
                        links_lost_.contains(there);
  // Of what the peer was before it joined, seen late.
  const bool is_old = std::any_of(
      result_.joins.begin(), result_.joins.end(),
      [&](const JoinRecord& join) { return join.device == link.peer && link.epoch <= join.after; });
  const bool is_full = membership_.cut.size() + links_lost_.size() >= kMostLinksLost;
  if (gathering_ || is_known || is_old || is_full) return;
  links_lost_[here] =
      fmt::format("{} lost its link to {}: {}", from, one_line(link.peer), one_line(link.reason));
  settled_ = now + job_.settle;
}

// Empty for a message that tells of no loss or failure.
std::string Coordinator::trouble_of(const Message& message) const {
  if (const auto* lost = std::get_if<PeerLost>(&message.body)) {
    return fmt::format("{} was lost while it held {} ({})", message.from, segments_of(message.from),
                       lost->reason);
  }
  if (const auto* failed = std::get_if<Failed>(&message.body)) {
    if (failed->epoch == 0) {  // it goes, whatever is deployed
      return fmt::format("{} was lost while it held {} ({})", message.from,
                         segments_of(message.from), one_line(failed->reason));
    }
    return fmt::format("{} failed: {}", message.from, one_line(failed->reason));
  }
  return "";
}

// The segments that a device runs: "segments 0 to 3", "segments 0 to 3 and 24 to 25".
std::string Coordinator::segments_of(const DeviceName& worker) const {
  if (services_.empty() && !coming_) return "no segments";
  const Deployment& deployment = services_.empty() ? coming_->deployment() : current();
  std::string text = "segments ";
  for (const Stage& stage : deployment.plan.stages) {
    if (stage.device != worker) continue;
    if (text.size() > 9) text += " and ";
    text += fmt::format("{} to {}", stage.first_segment, stage.last_segment);
  }
  return text.size() > 9 ? text : "no segments";
}

}  // namespace lingua
