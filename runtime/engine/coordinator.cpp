#include "runtime/engine/coordinator.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/schedule/schedule.h"

namespace lingua {

Coordinator::Coordinator(const CoordinatorJob& job)
    : job_(job),
      workers_(job.deployment.plan.devices()),
      stall_(workers_, job.stall_timeout),
      checks_(job.deployment) {
  membership_.lost = job.absent;
}

void Coordinator::begin(Seconds now, Effects& effects) {
  begun_ = now;
  deploy(job_.deployment, effects);
  stall_.moved(now);
}

void Coordinator::take(Message message, Seconds now, Effects& effects) {
  if (message.from == kCoordinator && std::holds_alternative<Stop>(message.body))
    throw WorldError(fmt::format("the run was told to end; {}", progress()));
  if (take_from_client(message, now, effects)) return;
  if (const auto* hello = std::get_if<Hello>(&message.body)) {
    if (job_.on_hello) job_.on_hello(message.from, hello->spec);
    join(message.from, now, effects);
    return;
  }
  if (std::find(workers_.begin(), workers_.end(), message.from) == workers_.end()) {
    // A device that no plan uses.
    if (std::holds_alternative<PeerLost>(message.body)) membership_.lost.insert(message.from);
    show();
    return;
  }
  if (const auto* answer = std::get_if<Standing>(&message.body)) {
    stall_.heard(message.from, *answer, now);
    tick(now, effects);
    return;
  }
  stall_.moved(now);
  if (const auto* link = std::get_if<LinkLost>(&message.body)) {
    note_link(message.from, *link, now);
    return;
  }
  take_from_worker(message, now, effects);
}

// ---- clients ----

bool Coordinator::take_from_client(Message& message, Seconds now, Effects& effects) {
  if (!is_client(message.from)) return false;
  if (std::holds_alternative<Attach>(message.body)) {
    clients_.insert(message.from);
    if (!services_.empty()) effects.send(message.from, Serving{});
  } else if (std::holds_alternative<Detach>(message.body)) {
    clients_gone_ += static_cast<int>(clients_.erase(message.from));
    gather_when_all_is_answered(now, effects);
  } else if (auto* submit = std::get_if<Submit>(&message.body)) {
    const RequestId number = table_.total();
    table_.submit(message.from, std::move(*submit), now, effects);
    const bool is_taken = table_.total() > number;
    if (job_.log_arrivals && is_taken)
      keep({message.from, event::kArrival, -1, number, -1, message.sent, message.sent, 0});
    if (is_taken) take_up(number, now, effects);
    admit(now, effects);
  } else if (const auto* cancel = std::get_if<Cancel>(&message.body)) {
    const auto request = table_.find(message.from, cancel->request);
    if (!request) return true;  // it has ended meanwhile
    const RequestTable::Entry& entry = *table_.find(*request);
    if (entry.running) {
      checks_.cancelled(*request);
      const Deployer& deployer = *service_of(entry.submit.epoch).deployer;
      effects.send(deployer.deployment().plan.header(), Cancel{*request});
    } else {
      std::vector<TokenId> tokens;
      if (entry.admitted) tokens = checks_.tokens(*request);
      checks_.refused(*request);
      note_end(entry, Ending::kCancelled, effects);
      effects.send(message.from, Done{cancel->request, std::move(tokens), {}, Ending::kCancelled});
      table_.end(*request);
      admit(now, effects);  // it may have kept others waiting
      gather_when_all_is_answered(now, effects);
    }
  }
  return true;
}

// First come, first admitted: one that has no room beside the states of those that run keeps those behind
// it waiting, and so does what has room when the weights of a coming deployment have none any more. Whether a
// request that is alone has room is for the devices to say.
void Coordinator::admit(Seconds now, Effects& effects) {
  if (services_.empty()) return;
  if (table_.waiting() == 0) end_of_wait(-1, now);
  StateRoom& room = services_.back().room;
  while (admissions(table_.waiting(), table_.running(), job_.in_flight) > 0) {
    if (finish_if_complete(table_.front().request, effects)) continue;
    if ((table_.running() > 0 || coming_) && !room.fits(table_.front())) {
      no_room_since_ = no_room_since_.value_or(now);
      return;
    }
    const RequestId request = table_.front().request;
    const bool has_begun = table_.find(request)->admitted.has_value();
    if (has_begun) checks_.resumed(request);
    room.take(table_.front());
    Submit submit = table_.admit(current().epoch,
                                 has_begun ? checks_.tokens(request) : std::vector<TokenId>{}, now);
    end_of_wait(request, now);
    stall_.moved(now);
    if (!has_begun) checks_.submitted(submit);
    effects.send(current().plan.header(), std::move(submit));
  }
}

Service& Coordinator::service_of(Epoch epoch) {
  const auto place = std::find_if(services_.begin(), services_.end(), [&](const Service& s) {
    return s.deployer->deployment().epoch == epoch;
  });
  LINGUA_CHECK(place != services_.end(), "epoch {}", epoch);
  return *place;
}

// ---- devices ----

void Coordinator::take_from_worker(Message& message, Seconds now, Effects& effects) {
  const std::optional<Epoch> epoch = epoch_of(message.body);
  if (epoch && given_up_.contains(*epoch)) return;
  const std::string trouble = trouble_of(message);
  if (!trouble.empty()) {
    const auto* failed = std::get_if<Failed>(&message.body);
    if (failed != nullptr && coming_ && !services_.empty() &&
        failed->epoch == coming_->deployment().epoch) {
      give_up_coming(message, trouble, now, effects);
      return;
    }
    if (survives(message, trouble)) {
      lose(message.from, trouble, now, effects);
      return;
    }
    if (!gathering_) throw WorldError(fmt::format("{}; {}", trouble, progress()));
  }
  if (auto* events = std::get_if<Events>(&message.body); events != nullptr && events->early) {
    take_rows(std::move(events->rows), message.from, now);
    return;
  }
  if (std::holds_alternative<WorkReport>(message.body)) {
    take_report(message, now, effects);
    return;
  }
  if (gathering_) {
    take_last_rows(message, now);
    return;
  }
  if (std::holds_alternative<Suspended>(message.body)) {
    take_suspended(message, now, effects);
    return;
  }
  if (const auto* held = std::get_if<StatesHeld>(&message.body)) {
    if (crossing_ && held->epoch == current().epoch) crossing_->states.take(*held, message.from);
    go_on_crossing(now, effects);
    return;
  }
  if (take_of_coming(message, now, effects)) return;
  take_answer(message, now, effects);
}

void Coordinator::become_current(Seconds now, Effects& effects) {
  if (!std::exchange(served_, true)) {
    result_.deployment = now - begun_;
    if (job_.on_serving) job_.on_serving();
    for (const DeviceName& client : clients_) effects.send(client, Serving{});
  }
  note_delivery();
  if (moving_) moving_->ready = now;
  serve_coming(now, effects);
}

void Coordinator::serve_coming(Seconds now, Effects& effects) {
  StateRoom room = room_beside_what_runs();
  services_.push_back({std::move(coming_), std::move(room)});
  coming_.reset();
  coming_bytes_.clear();
  end_recovery(now);
  note_first_use(now);
  if (moving_) begin_crossing(now, effects);
  show();
  retire_unused(effects);
  admit(now, effects);
  gather_when_all_is_answered(now, effects);
  if (!newcomers_.empty()) consider_move(false, now, effects);
}

void Coordinator::take_answer(Message& message, Seconds now, Effects& effects) {
  if (is_stale(message)) return;
  if (auto* token = std::get_if<TokenMade>(&message.body)) {
    refuse_if(checks_.take(*token), message);
    const RequestTable::Entry& entry = *table_.find(token->request);
    if (job_.journal != nullptr)
      effects.entries.push_back(TokenNoted{{entry.client, entry.own}, token->index, token->token});
    effects.send(entry.client, TokenMade{entry.own, token->index, token->token});
    note_token(token->request, now, effects);
    note_resumed(token->request, now);
  } else if (auto* done = std::get_if<Done>(&message.body)) {
    refuse_if(checks_.take(*done), message);
    const RequestId request = done->request;
    const RequestTable::Entry& entry = *table_.find(request);
    done->request = entry.own;
    note_end(entry, done->ending, effects);
    if (entry.submit.started)
      meter_.made(request, static_cast<std::int64_t>(done->tokens.size()) - entry.earlier);
    effects.send(entry.client, std::move(*done));
    end_request(request, now, effects);
  } else if (const auto* refused = std::get_if<Refused>(&message.body)) {
    const RequestTable::Entry* entry = table_.find(refused->request);
    // Another device has refused it before, or one has made it up to have this one refuse it.
    if (entry == nullptr || !entry->running) return;
    const std::vector<DeviceName>& workers = service_of(entry->submit.epoch).deployer->workers();
    if (std::find(workers.begin(), workers.end(), message.from) == workers.end()) return;
    checks_.refused(refused->request);
    refused_.insert(refused->request);
    effects.send(entry->client, Refused{entry->own, fmt::format("{}: {}", message.from,
                                                                one_line(refused->reason))});
    end_request(refused->request, now, effects);
  } else if (std::holds_alternative<Reached>(message.body)) {
    return;  // who sent the Probe has made up its epoch
  } else if (is_late_of_weights(message.body)) {
    return;
  } else {
    throw WorldError(fmt::format("{} answers nonsense: {} is not expected now", message.from,
                                 describe(message.body)));
  }
}

void Coordinator::end_request(RequestId request, Seconds now, Effects& effects) {
  const Submit& submit = table_.find(request)->submit;
  if (table_.find(request)->running) {
    service_of(submit.epoch).room.give_back(submit);
    release(request, effects);
  }
  for (Service& service : services_) service.room.end_beside(request);
  table_.end(request);
  last_token_.erase(request);
  crossed_.erase(request);
  retire_unused(effects);
  go_on_crossing(now, effects);
  consider_move(true, now, effects);
  admit(now, effects);
  gather_when_all_is_answered(now, effects);
}

// What goes wrong from then on costs rows of the log and no more.
void Coordinator::gather_when_all_is_answered(Seconds now, Effects& effects) {
  const bool all_came = job_.clients > 0 && clients_gone_ >= job_.clients;
  const bool is_served = !services_.empty() && !coming_ && all_came;
  if (gathering_ || !is_served || table_.running() + table_.waiting() > 0) return;
  gathering_ = true;
  settled_ = kNever;
  for (const DeviceName& worker : workers_) effects.send(worker, AskEvents{});
  stall_.moved(now);
}

void Coordinator::take_last_rows(Message& message, Seconds now) {
  if (!gathered_.insert(message.from).second) return;
  auto* events = std::get_if<Events>(&message.body);
  if (events == nullptr) {
    const std::string trouble = trouble_of(message);
    result_.notes.push_back(
        fmt::format("the event log lacks the rows of {}: {}", message.from,
                    trouble.empty() ? "it sent " + describe(message.body) + " instead" : trouble));
    return;
  }
  if (events->peak_memory_bytes > 0)
    result_.peak_memory_bytes[message.from] = events->peak_memory_bytes;
  take_rows(std::move(events->rows), message.from, now);
}

void Coordinator::take_rows(std::vector<EventRow> rows, const DeviceName& from, Seconds now) {
  if (job_.keep == Keep::kNothing) return;
  double& count = rows_[from];
  const std::size_t wrong = std::erase_if(rows, [&](const EventRow& row) {
    return !checks_.plausible(row, from, now) || ++count > checks_.most_rows();
  });
  if (wrong > 0) wrong_rows_[from] += wrong;
  for (const EventRow& row : rows) keep(row);
}

void Coordinator::end_of_wait(RequestId request, Seconds now) {
  if (no_room_since_)
    keep({kCoordinator, event::kMemory, -1, request, -1, *no_room_since_, now, 0});
  no_room_since_.reset();
}

void Coordinator::show() const {
  if (!job_.on_overview) return;
  Overview overview;
  overview.epoch = services_.empty() ? last_epoch_ : current().epoch;
  for (const MoveRecord& move : result_.moves)
    ++(move.failed.empty() ? overview.moves : overview.failed_moves);
  overview.recoveries = static_cast<int>(result_.recoveries.size());
  overview.lost = membership_.lost;
  job_.on_overview(overview);
}

void Coordinator::keep(const EventRow& row) {
  if (job_.keep == Keep::kNothing) return;
  meter_.take(row);
  digest_.add(row);
  if (job_.keep == Keep::kRows) result_.log.add(row);
}

// ---- what can go wrong ----

Seconds Coordinator::deadline() const {
  return std::min({expects() ? stall_.next() : kNever, settled_, waits_until_,
                   coming_ ? coming_->next() : kNever});
}

void Coordinator::tick(Seconds now, Effects& effects) {
  if (coming_ && now >= coming_->next()) coming_->tick(now, effects);
  if (now >= settled_) {
    settled_ = kNever;
    std::string why;
    for (const auto& [link, said] : std::exchange(links_lost_, {})) {
      membership_.cut.insert(link);
      if (coming_) coming_->lose_link(link.first, link.second, now, effects);
      if (uses(link.first, link.second)) why += (why.empty() ? "" : "; ") + said;
      if (crossing_) crossing_->states.lose_link(link.first, link.second);
    }
    if (why.empty()) {
      go_on_crossing(now, effects);
      return;
    }
    if (!job_.recover) throw WorldError(fmt::format("{}; {}", why, progress()));
    begin_again(why, now, effects);
    return;
  }
  if (now >= waits_until_) {
    throw WorldError(fmt::format("{}; no device has joined for {:g} s that suffices; {}",
                                 waits_why_, job_.wait_for_devices.count(), progress()));
  }
  if (!expects()) return;
  if (const auto standstill = stall_.standstill(now)) {
    throw WorldError(fmt::format("{}; {}", one_line(*standstill), progress()));
  }
  if (!stall_.look(now)) return;
  for (const DeviceName& worker : workers_) effects.send(worker, AskStanding{});
}

std::string Coordinator::progress() const {
  return fmt::format("{} of {} requests were answered", table_.ended(), table_.total());
}

// `wrong`: see AnswerChecks.
void Coordinator::refuse_if(const std::string& wrong, const Message& message) const {
  const bool from_header =
      old_headers_.contains(message.from) ||
      std::any_of(services_.begin(), services_.end(), [&](const Service& service) {
        return message.from == service.deployer->deployment().plan.header();
      });
  if (from_header && wrong.empty()) return;
  throw WorldError(fmt::format(
      "{} answers nonsense: {}; {}", message.from,
      from_header ? wrong : describe(message.body) + " is for the header to send", progress()));
}

void Coordinator::stop_all(Effects& effects) const {
  for (const DeviceName& worker : workers_) effects.send(worker, Stop{});
  for (const DeviceName& worker : membership_.lost) effects.send(worker, Stop{});  // if it is there
  for (const JoinRecord& join : result_.joins) {
    if (!join.first_use) effects.send(join.device, Stop{});
  }
  for (const DeviceName& client : clients_) effects.send(client, Stop{});
}

CoordinatorResult Coordinator::result() && {
  for (const auto& [device, count] : wrong_rows_) {
    result_.notes.push_back(fmt::format(
        "the event log lacks {} rows of {} that it cannot have written", count, device));
  }
  result_.log.sort();
  result_.metrics = meter_.metrics();
  result_.digest = digest_.text();
  return std::move(result_);
}

namespace {

void carry_out(Mailbox& mailbox, Effects& effects, Journal* journal = nullptr) {
  if (!effects.entries.empty()) journal->append(effects.entries);
  effects.entries.clear();
  for (Letter& letter : effects.letters) mailbox.send(letter.to, std::move(letter.body));
  effects.letters.clear();
}

void serve(Mailbox& mailbox, Coordinator& coordinator, Journal* journal) {
  Effects effects;
  coordinator.begin(mailbox.now(), effects);
  carry_out(mailbox, effects, journal);
  while (!coordinator.finished()) {
    if (auto message = mailbox.receive(coordinator.deadline())) {
      coordinator.take(std::move(*message), mailbox.now(), effects);
    } else {
      coordinator.tick(mailbox.now(), effects);
    }
    carry_out(mailbox, effects, journal);
  }
}

void stop_all(Mailbox& mailbox, const Coordinator& coordinator) {
  Effects effects;
  coordinator.stop_all(effects);
  carry_out(mailbox, effects);
}

}  // namespace

CoordinatorResult run_coordinator(Mailbox& mailbox, const CoordinatorJob& job) {
  Coordinator coordinator(job);
  try {
    serve(mailbox, coordinator, job.journal);
  } catch (const Error&) {
    stop_all(mailbox, coordinator);
    throw;
  }
  stop_all(mailbox, coordinator);
  return std::move(coordinator).result();
}

}  // namespace lingua
