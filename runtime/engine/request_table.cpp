#include "runtime/engine/request_table.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"

namespace lingua {

void RequestTable::submit(const DeviceName& client, Submit submit, Seconds now, Effects& effects) {
  const RequestId own = submit.request;
  if (!by_client_.emplace(std::pair(client, own), next_).second) {
    effects.send(client, Refused{own, "another request of this number is under way"});
    return;
  }
  submit.request = next_;
  entries_.emplace(next_, Entry{client, own, std::move(submit), now, false});
  queue_.push_back(next_++);
}

void RequestTable::take_up(RequestId request, std::int64_t earlier, Seconds now) {
  Entry& entry = entries_.at(request);
  entry.admitted = now;
  entry.earlier = earlier;
}

std::vector<RequestId> RequestTable::suspend_all() {
  std::vector<RequestId> suspended;
  for (auto& [id, entry] : entries_) {
    if (!entry.running) continue;
    entry.running = false;
    suspended.push_back(id);
  }
  running_ = 0;
  queue_.insert(queue_.begin(), suspended.begin(), suspended.end());
  return suspended;
}

Submit RequestTable::told(Entry& entry, Epoch epoch, std::vector<TokenId> made,
                          std::int64_t cached) {
  entry.submit.epoch = epoch;
  entry.before = static_cast<std::int64_t>(made.size());
  entry.cached = cached;
  Submit submit = entry.submit;
  submit.made = std::move(made);
  submit.cached = cached;
  return submit;
}

Submit RequestTable::admit(Epoch epoch, std::vector<TokenId> made, Seconds now) {
  Entry& entry = entries_.at(queue_.front());
  queue_.pop_front();
  entry.running = true;
  if (entry.admitted)
    entry.submit.started = entry.admitted;
  else
    entry.admitted = now;
  ++running_;
  return told(entry, epoch, std::move(made), 0);
}

Submit RequestTable::go_on(RequestId request, Epoch epoch, std::vector<TokenId> made,
                           std::int64_t cached) {
  Entry& entry = entries_.at(request);
  entry.submit.started = entry.admitted;
  return told(entry, epoch, std::move(made), cached);
}

bool RequestTable::runs_in(Epoch epoch) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& item) {
    return item.second.running && item.second.submit.epoch == epoch;
  });
}

const RequestTable::Entry* RequestTable::find(RequestId request) const {
  const auto place = entries_.find(request);
  return place == entries_.end() ? nullptr : &place->second;
}

std::optional<RequestId> RequestTable::find(const DeviceName& client, RequestId own) const {
  const auto place = by_client_.find({client, own});
  if (place == by_client_.end()) return std::nullopt;
  return place->second;
}

void RequestTable::end(RequestId request) {
  const auto place = entries_.find(request);
  LINGUA_CHECK(place != entries_.end(), "request {}", request);
  if (place->second.running) {
    --running_;
  } else {
    std::erase(queue_, request);
  }
  ++ended_;
  by_client_.erase({place->second.client, place->second.own});
  entries_.erase(place);
}

}  // namespace lingua
