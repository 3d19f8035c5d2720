#include "runtime/engine/state_moves.h"

#include <algorithm>

namespace lingua {
namespace {

// Pieces under way at most: of requests that wait for them, and beside work.
constexpr std::int64_t kWindow = 64;
constexpr std::int64_t kWindowBeside = 4;

// Of each segment, who runs it.
std::vector<DeviceName> runners(const Deployment& deployment) {
  std::vector<DeviceName> runners(deployment.segmentation->segments.size());
  for (const Stage& stage : deployment.plan.stages) {
    for (SegmentId id = stage.first_segment; id <= stage.last_segment; ++id)
      runners[static_cast<std::size_t>(id)] = stage.device;
  }
  return runners;
}

}  // namespace

// Those of segments that have states.
std::map<StateMoves::Way, std::vector<SegmentId>> StateMoves::ways_from(
    const Deployment& before) const {
  const std::vector<DeviceName> from = runners(before);
  const std::vector<DeviceName> to = runners(next_);
  std::map<Way, std::vector<SegmentId>> ways;
  for (const Segment& segment : before.segmentation->segments) {
    const auto id = static_cast<std::size_t>(segment.id);
    if (!segment.state.empty() && from[id] != to[id])
      ways[{from[id], to[id]}].push_back(segment.id);
  }
  return ways;
}

void StateMoves::send(const Deployment& before, const Request& request, bool beside,
                      Effects& effects) {
  std::int64_t& known = tokens_[request.id];
  if (failed_.contains(request.id) || request.tokens <= known) return;
  const SendStates::Range range{request.id, request.capacity, known, request.tokens};
  for (auto& [way, segments] : ways_from(before)) {
    under_way_.emplace(way, request.id);
    for (const SegmentId id : segments)
      bytes_ += static_cast<double>(range.end - range.first) * before.segment(id).state_bytes(1);
    const Deployment::Pieces pieces = beside ? next_.pieces_between(way.first, way.second)
                                             : Deployment::Pieces{next_.chunk_bytes, kWindow};
    effects.send(way.first, SendStates{next_.epoch,
                                       way.second,
                                       std::move(segments),
                                       {range},
                                       pieces.bytes,
                                       beside ? std::min(pieces.window, kWindowBeside) : kWindow,
                                       beside ? next_.move_bytes_per_s : 0,
                                       beside});
  }
  known = request.tokens;
}

bool StateMoves::complete(RequestId request) const {
  return std::none_of(under_way_.begin(), under_way_.end(),
                      [&](const auto& item) { return item.second == request; });
}

void StateMoves::take(const StatesHeld& held, const DeviceName& from) {
  if (!held.trouble.empty()) {
    if (!complete(held.request)) failed_.insert(held.request);
    std::erase_if(under_way_, [&](const auto& item) { return item.second == held.request; });
    return;
  }
  under_way_.erase({{held.from, from}, held.request});
}

void StateMoves::lose_link(const DeviceName& a, const DeviceName& b) {
  for (const auto& [way, request] : under_way_) {
    if (way == Way(a, b) || way == Way(b, a)) failed_.insert(request);
  }
  std::erase_if(under_way_, [&](const auto& item) { return failed_.contains(item.second); });
}

void StateMoves::forget(RequestId request) {
  std::erase_if(under_way_, [&](const auto& item) { return item.second == request; });
}

std::int64_t StateMoves::tokens(RequestId request) const {
  const auto known = tokens_.find(request);
  return failed_.contains(request) || known == tokens_.end() ? 0 : known->second;
}

}  // namespace lingua
