// Whole runs that go on from a journal, over the engine's own loops on simulated devices.

#include <gtest/gtest.h>

#include <algorithm>

#include "runtime/base/random.h"
#include "tests/support/memory_journal.h"
#include "tests/support/toy_run.h"

namespace lingua {
namespace {

using testing::kToySegments;
using testing::MemoryJournal;
using testing::tokens_of_a_plain_loop;
using testing::ToyRun;
using testing::ToyTokens;

constexpr int kRequests = 8;

// What a coordinator had noted when it was lost at a random moment: of each of its requests that run at once
// some tokens, in any order among each other.
void note_until_lost(const ToyRun& run, const ToyTokens& tokens, Rng& rng, Journal& journal) {
  std::vector<std::size_t> made;
  for (auto left = rng.below(kRequests * 6 + 1); left > 0; --left) {
    std::vector<std::size_t> under_way;
    for (std::size_t r = 0; r < made.size(); ++r) {
      if (made[r] < tokens[r].size()) under_way.push_back(r);
    }
    const bool has_room = under_way.size() < static_cast<std::size_t>(run.in_flight);
    if (has_room && made.size() < kRequests) {
      const auto r = static_cast<int>(made.size());
      journal.append({RequestBegun{{kOnlyClient, r}, content_of(run.request(r))}});
      made.push_back(0);
    } else if (!under_way.empty()) {
      const std::size_t r = under_way[rng.below(under_way.size())];
      const auto index = static_cast<std::int64_t>(made[r]++);
      journal.append({TokenNoted{{kOnlyClient, static_cast<RequestId>(r)},
                                 index,
                                 tokens[r][static_cast<std::size_t>(index)]}});
    }
  }
}

// Answers, and what the journal has in the end, are those of a plain loop.
bool is_resumed(std::uint64_t seed) {
  Rng rng(seed);
  ToyRun run{.stages = {{"a", 0, 2, {}}, {"b", 3, kToySegments - 1, {}}}};
  run.in_flight = 1 + static_cast<int>(rng.below(4));
  run.requests = kRequests;
  run.kv_cache = rng.below(4) != 0;
  const std::int64_t chunk = rng.below(2) == 0 ? kWholePrompts : 2;
  const int max_batch = 1 + static_cast<int>(rng.below(3));
  const ToyTokens tokens = tokens_of_a_plain_loop(kRequests);
  MemoryJournal journal;
  note_until_lost(run, tokens, rng, journal);
  run.change_deployment = [&](Deployment& deployment) {
    deployment.scheduling = {Policy::kFifo, max_batch, chunk};
  };
  ToyTokens streamed(kRequests);
  run.change_job = [&](RunJob& job) {
    job.coordinator.journal = &journal;
    job.client.on_token = [&](const TokenMade& token) {
      streamed[static_cast<std::size_t>(token.request)].push_back(token.token);
      return true;
    };
  };
  const bool loses_a_device = rng.below(2) == 0;
  if (loses_a_device) {
    run.change_job = [&, before = run.change_job](RunJob& job) {
      before(job);
      job.coordinator.recover = [next =
                                     job.coordinator.deployment](const Membership& left) mutable {
        next.plan.stages = {{left.lost.contains("a") ? "b" : "a", 0, kToySegments - 1, {}}};
        next.plan.transfers = transfers_of(*next.segmentation, next.plan.stages);
        return next;
      };
    };
    const DeviceName victim = rng.below(2) == 0 ? "a" : "b";
    const Seconds when(rng.uniform(0, 1));
    run.faults = [=](SimCluster& sim) { sim.kill_at(when, victim); };
  }
  if (run.tokens() != tokens || streamed != tokens) return false;
  for (RequestId r = 0; r < kRequests; ++r) {
    const RequestHistory::Request* request = journal.history().find({kOnlyClient, r});
    if (request == nullptr || request->ending != Ending::kLength) return false;
    if (request->tokens != tokens[static_cast<std::size_t>(r)]) return false;
  }
  return true;
}

class Resumed : public ::testing::TestWithParam<int> {};

// SimGrid simulates once in a process.
TEST_P(Resumed, AnswersAreTheSameWheneverTheCoordinatorWasLost) {
  EXPECT_EXIT(_exit(is_resumed(static_cast<std::uint64_t>(GetParam())) ? 0 : 1),
              ::testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(Seeds, Resumed, ::testing::Range(1, 61));

// The comparison sees a journal that is not of this model.
TEST(ResumedFromAnothersJournal, GivesOtherTokens) {
  ToyRun run{.stages = {{"a", 0, kToySegments - 1, {}}}};
  MemoryJournal journal;
  const ToyTokens tokens = tokens_of_a_plain_loop();
  journal.append({RequestBegun{{kOnlyClient, 0}, content_of(run.request(0))},
                  TokenNoted{{kOnlyClient, 0}, 0, tokens[0][0] == 1 ? 2 : 1}});
  run.change_job = [&](RunJob& job) { job.coordinator.journal = &journal; };
  const ToyTokens made = run.tokens();
  EXPECT_NE(made[0], tokens[0]);
  EXPECT_EQ(made[1], tokens[1]);
}

}  // namespace
}  // namespace lingua
