#include "runtime/app/int8_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <string_view>

#include "runtime/base/errors.h"

namespace lingua {
namespace {

[[noreturn]] void refuse(const std::string& choice, const std::string& why) {
  throw UsageError(
      fmt::format("`int8` {}: {}; write none, all, fit or segments such as 0-3,7", choice, why));
}

SegmentId segment_number(const std::string& choice, std::string_view text, int segments) {
  SegmentId id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id < 0) {
    refuse(choice, fmt::format("'{}' is no number", text));
  }
  if (id >= segments) {
    refuse(choice, fmt::format("there is no segment {}, the last is {}", id, segments - 1));
  }
  return id;
}

// The root of each segment's group, after joining those that share a weight of the int8 form.
std::vector<std::size_t> group_roots(const Segmentation& plain, const Segmentation& int8) {
  std::vector<std::size_t> root(plain.segments.size());
  std::iota(root.begin(), root.end(), 0);
  std::map<std::string, std::size_t> first_user;
  for (std::size_t s = 0; s < root.size(); ++s) {
    for (const WeightSpec& weight : int8.segments[s].weights) {
      const auto& before = plain.segments[s].weights;
      if (std::find(before.begin(), before.end(), weight) != before.end()) continue;
      const std::size_t other = root[first_user.try_emplace(weight.name, s).first->second];
      const std::size_t own = root[s];
      for (std::size_t& r : root) {
        if (r == own) r = other;
      }
    }
  }
  return root;
}

}  // namespace

Int8Kind int8_kind(const std::string& choice) {
  if (choice == "none") return Int8Kind::kNone;
  if (choice == "all") return Int8Kind::kAll;
  if (choice == "fit") return Int8Kind::kFit;
  if (choice.empty() || choice.find_first_not_of("0123456789-,") != std::string::npos) {
    refuse(choice, "is none of these");
  }
  return Int8Kind::kListed;
}

std::set<SegmentId> listed_segments(const std::string& choice, int segments) {
  std::set<SegmentId> chosen;
  for (std::size_t at = 0; at <= choice.size();) {
    const std::size_t comma = std::min(choice.find(',', at), choice.size());
    const std::string_view item = std::string_view(choice).substr(at, comma - at);
    const std::size_t dash = item.find('-');
    const SegmentId first = segment_number(choice, item.substr(0, dash), segments);
    const SegmentId last = dash == std::string_view::npos
                               ? first
                               : segment_number(choice, item.substr(dash + 1), segments);
    if (last < first) refuse(choice, fmt::format("'{}' goes down", item));
    for (SegmentId id = first; id <= last; ++id) chosen.insert(id);
    at = comma + 1;
  }
  return chosen;
}

std::vector<std::set<SegmentId>> int8_groups(const Segmentation& plain, const Segmentation& int8) {
  const std::vector<std::size_t> root = group_roots(plain, int8);
  std::map<std::size_t, std::set<SegmentId>> members;
  std::map<std::size_t, double> saved;
  for (std::size_t s = 0; s < root.size(); ++s) {
    members[root[s]].insert(static_cast<SegmentId>(s));
    saved[root[s]] += plain.segments[s].weights_bytes() - int8.segments[s].weights_bytes();
  }
  std::vector<std::size_t> order;
  for (const auto& [group, bytes] : saved) {
    if (bytes > 0) order.push_back(group);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return saved[a] > saved[b]; });
  std::vector<std::set<SegmentId>> groups;
  for (const std::size_t group : order) groups.push_back(members[group]);
  return groups;
}

std::set<SegmentId> fewest_that_fit(const std::vector<std::set<SegmentId>>& groups,
                                    const std::function<void(const std::set<SegmentId>&)>& plan) {
  const auto first = [&](std::size_t count) {
    std::set<SegmentId> chosen;
    for (std::size_t g = 0; g < count; ++g) chosen.insert(groups[g].begin(), groups[g].end());
    return chosen;
  };
  std::size_t tried = 0;
  const auto fits = [&](std::size_t count) {
    tried = count;
    try {
      plan(first(count));
      return true;
    } catch (const InfeasibleError&) {
      if (count == groups.size()) throw;
      return false;
    }
  };
  if (fits(0)) return {};
  std::size_t too_few = 0;
  std::size_t enough = groups.size();
  fits(enough);
  while (enough - too_few > 1) {
    const std::size_t middle = (too_few + enough) / 2;
    (fits(middle) ? enough : too_few) = middle;
  }
  if (tried != enough) fits(enough);
  return first(enough);
}

std::string segment_ranges(const std::set<SegmentId>& segments) {
  std::string text;
  for (auto at = segments.begin(); at != segments.end();) {
    const SegmentId first = *at;
    SegmentId last = first;
    while (++at != segments.end() && *at == last + 1) last = *at;
    text += text.empty() ? "" : ", ";
    text += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
  }
  return text;
}

}  // namespace lingua
