// Damaged traffic, of strangers and of devices of a run, against coordinators and workers: they go on or end
// with the documented error, in time and in bounded memory.
//
// LINGUA_TRAFFIC_SECONDS: how long all of these tests take (10). LINGUA_TRAFFIC_SEED: what they begin
// with (1); a failure names the seed of its round. Threads and sockets take their time, so that a
// round's course is not the same each time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "runtime/engine/worker.h"
#include "tests/net/damage.h"
#include "tests/net/hostile_device.h"
#include "tests/net/traffic_cluster.h"
#include "tests/support/sanitized.h"

namespace lingua::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kTests = 5;
constexpr int kAtOnce = 4;
// AddressSanitizer keeps 256 MB of what was freed, and shadows a frame of 1 GB that is announced and does not
// come with 128 MB.
constexpr double kMostGrowthMb = testing::kSanitized ? 2000 : 200;
constexpr std::chrono::seconds kLongestRound{60};
constexpr Seconds kPatienceOfHostiles{2.5};

double number_from(const char* variable, double otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtod(text, nullptr);
}

Seconds share_of_time() { return Seconds(number_from("LINGUA_TRAFFIC_SECONDS", 10) / kTests); }

// How something ended: in order, or with the error that is documented. Others get through.
template <class Function>
std::string end_of(Function function) {
  try {
    function();
    return "in order";
  } catch (const WorldError& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("internal error")));
    return error.what();
  }
}

std::future<std::string> worker_thread(const NetWorkerOptions& options, Tape* tape = nullptr) {
  return std::async(std::launch::async, [options, tape] {
    return end_of([&] {
      const auto device = join_as_worker(options, std::make_unique<WaryExecutor>());
      if (tape == nullptr) return run_worker(*device, {});
      RecordedDevice recorded(*device, *tape);
      run_worker(recorded, {});
    });
  });
}

struct WholeRun {
  bool secured = true;
  int requests = 2;
  Tape* tape = nullptr;                            // what is sent
  std::map<DeviceName, std::string> listens = {};  // workers, where they do not choose
  std::function<void()> begun = [] {};             // all have joined
};

// Returns the tokens of each request.
std::vector<std::vector<TokenId>> tokens_of(const Cluster& cluster, NetCoordinator& coordinator,
                                            const WholeRun& run) {
  std::vector<std::future<std::string>> workers;
  for (const DeviceName& name : cluster.names) {
    NetWorkerOptions options = cluster.worker(name, coordinator.address(), run.secured);
    const auto listens = run.listens.find(name);
    if (listens != run.listens.end()) options.net.listen = listens->second;
    workers.push_back(worker_thread(options, run.tape));
  }
  RunResult result;
  const std::string end = end_of([&] {
    coordinator.wait_for(cluster.names, [] {});
    run.begun();
    Tape unread;
    RecordedMailbox recorded(coordinator.mailbox(), run.tape == nullptr ? unread : *run.tape);
    const auto client = coordinator.open_client(kOnlyClient);
    result = run_job(recorded, *client, cluster.job(run.requests));
  });
  for (auto& worker : workers) EXPECT_EQ(worker.get(), "in order");
  EXPECT_EQ(end, "in order");
  std::vector<std::vector<TokenId>> tokens;
  for (const Done& answer : result.answers) tokens.push_back(answer.tokens);
  return tokens;
}

Wired wired(const wire::Envelope& envelope) { return {envelope.SerializeAsString()}; }

Wired join_message(const DeviceName& name, const std::string& listens_at,
                   const std::string& token) {
  wire::Envelope join = join_envelope(name, listens_at);
  join.mutable_join()->set_token(token);
  return wired(join);
}

// What the transport says for itself, by hand: a run's devices do not see it.
std::vector<Wired> transport_messages() {
  std::vector<wire::Envelope> all(9);
  all[0].mutable_clock()->set_round(1);
  all[1].mutable_joined();
  all[2].mutable_goodbye();
  all[3].mutable_farewell();
  all[4].mutable_welcome()->set_wait_s(1);
  all[5].mutable_refused()->set_reason("no");
  all[6].mutable_introduce()->set_name("w1");
  all[7].mutable_directory()->add_entries()->set_name("w2");
  all[8] = join_envelope("w1", "tcp://127.0.0.1:1");
  std::vector<Wired> messages;
  for (const wire::Envelope& envelope : all) messages.push_back(wired(envelope));
  return messages;
}

class MutatedTraffic : public ::testing::Test {
 protected:
  MutatedTraffic() {
    Tape tape;
    NetCoordinator coordinator(cluster_.coordinator_options());
    tokens_ = tokens_of(cluster_, coordinator, {.tape = &tape});
    recorded_ = tape.messages();
    for (const Wired& message : transport_messages()) recorded_.push_back(message);
    EXPECT_GT(recorded_.size(), 100U);
  }

  // Rounds of their own seed, some at once, until this test's share of the time is over.
  void rounds(const std::function<std::string(std::uint64_t seed)>& round) {
    const auto first = static_cast<std::uint64_t>(number_from("LINGUA_TRAFFIC_SEED", 1));
    const auto end = internal::Clock::now() +
                     std::chrono::duration_cast<internal::Clock::duration>(share_of_time());
    std::atomic<std::uint64_t> next{first};
    double before = 0;
    std::map<std::string, int> ends;
    std::mutex mutex;
    const auto loop = [&] {
      do {
        const std::uint64_t seed = next++;
        auto said = std::async(std::launch::async, round, seed);
        if (said.wait_for(kLongestRound) != std::future_status::ready) {
          fmt::print(stderr, "seed {}: the round does not end\n", seed);
          std::abort();
        }
        std::string how;
        try {
          how = said.get();
        } catch (const std::exception& error) {
          ADD_FAILURE() << "seed " << seed << ": " << error.what();
          return;
        }
        const std::lock_guard lock(mutex);
        ++ends[how];
        if (before == 0) before = resident_mb();
        EXPECT_LT(resident_mb() - before, kMostGrowthMb) << "seed " << seed;
      } while (internal::Clock::now() < end && !HasFailure());
    };
    std::vector<std::future<void>> loops;
    for (int i = 0; i < kAtOnce; ++i) loops.push_back(std::async(std::launch::async, loop));
    for (auto& one : loops) one.get();
    std::string summary;
    for (const auto& [how, count] : ends) summary += fmt::format("\n  {:5} {}", count, how);
    fmt::print(stderr, "{} rounds, seeds from {}, {:+.0f} MB:{}\n", next - first, first,
               resident_mb() - before, summary);
  }

  const Cluster cluster_;
  std::vector<std::vector<TokenId>> tokens_;
  std::vector<Wired> recorded_;
};

// An error without its numbers and other details, to count the kinds.
std::string kind_of(const std::string& said) {
  std::string kind;
  for (const char c : said.substr(0, 45)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit || kind.empty() || kind.back() != '#') kind += digit ? '#' : c;
  }
  return one_line(kind);
}

// A message as ZeroMQ sends it without encryption.
std::string zmq_bytes(const Wired& message) {
  std::string bytes;
  for (std::size_t i = 0; i < message.size(); ++i) {
    const bool is_long = message[i].size() > 255;
    bytes += static_cast<char>((i + 1 < message.size() ? 1 : 0) | (is_long ? 2 : 0));
    for (int shift = is_long ? 56 : 0; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(message[i].size() >> shift);
    }
    bytes += message[i];
  }
  return bytes;
}

// Somebody who knows the address and the key there, and no more.
void intrude(const std::string& address, const PublicKey& listener, Damage& damage,
             const std::vector<Wired>& recorded) {
  Rng& rng = damage.rng();
  const auto some = [&] { return recorded[rng.below(recorded.size())]; };
  const Wired join =
      join_message(fmt::format("w{}", 1 + rng.below(3)), "tcp://127.0.0.1:1", "token");
  const std::uint64_t kind = rng.below(4);
  if (kind == 0) {  // bytes
    std::string bytes;
    for (std::uint64_t i = 0; i < 1 + rng.below(5); ++i) bytes += zmq_bytes(i == 0 ? join : some());
    for (std::uint64_t i = rng.below(4); i > 0; --i) damage.change_bytes(bytes);
    std::string greeting = zmq_greeting();
    std::optional<BareSocket> stranger;
    try {
      stranger.emplace(address);
    } catch (const BugError&) {
      return;  // the run has ended there
    }
    if (rng.below(4) == 0) {
      damage.change_bytes(greeting);
      stranger->send(greeting);
    } else {
      stranger->greet();
    }
    stranger->send(bytes);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return;
  }
  std::optional<KeyPair> self;
  if (kind > 1) self = make_key_pair();
  RawSocket socket(address, self, listener);
  socket.send(rng.below(2) == 0 ? join : damage.change(join));
  for (std::uint64_t i = rng.below(5); i > 0; --i) socket.send(damage.change(some()));
  socket.wait(std::chrono::milliseconds(50));
}

// At addresses of a round's own, below the ports that connections are given.
std::map<DeviceName, std::string> addresses_for(std::uint64_t seed, const Cluster& cluster) {
  std::map<DeviceName, std::string> addresses;
  for (const DeviceName& name : cluster.names) {
    addresses[name] = fmt::format("tcp://127.10.{}.{}:{}", seed % 250, 1 + addresses.size(),
                                  20'000 + getpid() % 10'000);
  }
  return addresses;
}

TEST_F(MutatedTraffic, OfStrangersChangesNothing) {
  rounds([&](std::uint64_t seed) -> std::string {
    const bool secured = seed % 4 != 0;
    NetCoordinator coordinator(cluster_.coordinator_options(secured));
    const auto addresses = addresses_for(seed, cluster_);
    std::atomic<bool> joined{false};
    std::atomic<bool> over{false};
    std::promise<void> begun;
    auto strangers = std::async(std::launch::async, [&] {
      Damage damage(seed, 1, recorded_);
      for (int i = 0; !over; ++i) {
        if (i == 20) begun.set_value();
        const std::uint64_t worker = damage.rng().below(4);
        if (joined && worker < cluster_.names.size()) {
          const DeviceName& name = cluster_.names[worker];
          intrude(addresses.at(name), cluster_.pairs.at(name).public_key, damage, recorded_);
        } else {
          intrude(coordinator.address(), cluster_.admission->self().public_key, damage, recorded_);
        }
      }
    });
    begun.get_future().wait_for(std::chrono::seconds(2));
    const auto tokens =
        tokens_of(cluster_, coordinator,
                  {.secured = secured, .requests = 40, .listens = addresses, .begun = [&] {
                     joined = true;
                   }});
    over = true;
    strangers.get();
    EXPECT_EQ(tokens.size(), 40U) << "seed " << seed;
    for (std::size_t i = 0; i < std::min(tokens.size(), tokens_.size()); ++i) {
      EXPECT_EQ(tokens[i], tokens_[i]) << "seed " << seed;
    }
    return secured ? "with keys" : "without keys";
  });
}

// Joins as w1 in ways that are not quite right, and goes.
void join_badly(const std::string& coordinator, const Cluster& cluster, Damage& damage,
                const std::vector<Wired>& recorded) {
  const KeyPair& self = cluster.pairs.at("w1");
  RawSocket inbox(self);
  RawSocket socket(coordinator, self, cluster.admission->self().public_key);
  Rng& rng = damage.rng();
  const auto perhaps = [&](Wired message) {
    return rng.below(3) == 0 ? damage.change(std::move(message)) : message;
  };
  const auto transport = transport_messages();
  socket.send(perhaps(join_message("w1", inbox.address(), "")));
  const auto end = internal::Clock::now() + std::chrono::milliseconds(50 + rng.below(300));
  while (internal::Clock::now() < end) {
    inbox.wait(std::chrono::milliseconds(5));
    while (const auto asked = inbox.receive()) inbox.send(perhaps(transport[4]), asked->identity);
    while (socket.receive()) {
      const Wired& next = rng.below(4) == 0 ? recorded[rng.below(recorded.size())]
                                            : transport[rng.below(transport.size())];
      socket.send(perhaps(next));
    }
  }
}

TEST_F(MutatedTraffic, OfAJoiningDeviceEndsItsOwnJoiningAtMost) {
  rounds([&](std::uint64_t seed) -> std::string {
    auto coordinator = std::make_unique<NetCoordinator>(cluster_.coordinator_options());
    const std::string address = coordinator->address();
    Damage damage(seed, 1, recorded_);
    // Once the last has come the run begins or not; before that a place is free again.
    const bool last = seed % 2 == 0;
    auto hostile = std::async(std::launch::async, [&] {
      for (int i = 0; i < 5; ++i) join_badly(address, cluster_, damage, recorded_);
    });
    std::atomic<bool> ended{false};
    std::vector<std::future<std::string>> workers;
    const auto start = [&](const DeviceName& name) {
      if (!ended) workers.push_back(worker_thread(cluster_.worker(name, address)));
    };
    auto others = std::async(std::launch::async, [&] {
      if (last) {
        start("w2");
        start("w3");
      }
      hostile.wait();
      if (!last) {
        start("w2");
        start("w3");
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      start("w1");
    });
    const std::string end = end_of([&] {
      coordinator->wait_for(cluster_.names, [] {});
      const auto client = coordinator->open_client(kOnlyClient);
      const RunResult result = run_job(coordinator->mailbox(), *client, cluster_.job());
      EXPECT_EQ(result.answers.front().tokens, tokens_.front()) << "seed " << seed;
    });
    if (!last) {
      EXPECT_EQ(end, "in order") << "seed " << seed;
    }
    ended = true;
    coordinator.reset();
    others.get();
    for (auto& worker : workers) worker.get();
    return kind_of(end);
  });
}

// A real run in which one device damages what it sends to the coordinator, to other devices or both.
TEST_F(MutatedTraffic, OfADeviceEndsTheRunAtMost) {
  rounds([&](std::uint64_t seed) -> std::string {
    Damage damage(seed, std::uint64_t{1} << (1 + seed % 6), recorded_);
    const DeviceName hostile = cluster_.names[damage.rng().below(3)];
    const std::uint64_t towards = damage.rng().below(3);
    auto coordinator = std::make_unique<NetCoordinator>(cluster_.coordinator_options());
    std::vector<std::future<std::string>> workers;
    for (const DeviceName& name : cluster_.names) {
      const NetWorkerOptions options = cluster_.worker(name, coordinator->address());
      if (name != hostile) {
        workers.push_back(worker_thread(options));
        continue;
      }
      workers.push_back(std::async(std::launch::async, [&, options] {
        return world_error([&] {
          const auto change = [&](const DeviceName& to, Wired message) {
            const bool meant = towards == 2 || (to == kCoordinator) == (towards == 0);
            return meant ? damage(std::move(message)) : std::vector<Wired>{std::move(message)};
          };
          HostileDevice device(options.spec, internal::join(options),
                               std::make_unique<WaryExecutor>(), kPatienceOfHostiles, change);
          run_worker(device, {});
        });
      }));
    }
    const std::string end = end_of([&] {
      coordinator->wait_for(cluster_.names, [] {});
      const auto client = coordinator->open_client(kOnlyClient);
      run_job(coordinator->mailbox(), *client, cluster_.job());
    });
    coordinator.reset();
    for (auto& worker : workers) worker.get();
    return kind_of(end);
  });
}

// A real run of a coordinator that damages what it sends.
TEST_F(MutatedTraffic, OfACoordinatorEndsItsWorkersAtMost) {
  rounds([&](std::uint64_t seed) -> std::string {
    Damage damage(seed, std::uint64_t{1} << (1 + seed % 6), recorded_);
    std::vector<std::future<std::string>> workers;
    const auto start = [&](const std::string& address) {
      for (const DeviceName& name : cluster_.names) {
        workers.push_back(worker_thread(cluster_.worker(name, address)));
      }
    };
    const std::string said = world_error([&] {
      HostileDevice device({}, gathered(cluster_.coordinator_options(), cluster_.names, start),
                           nullptr, kPatienceOfHostiles, [&](const DeviceName&, Wired message) {
                             return damage(std::move(message));
                           });
      const RunJob job = cluster_.job();
      WithClient mailbox(device, job.client);
      run_coordinator(mailbox, job.coordinator);
    });
    EXPECT_THAT(said, Not(HasSubstr("internal error"))) << "seed " << seed;
    std::string ends;
    for (auto& worker : workers) ends = std::max(ends, worker.get());
    return kind_of(said) + "; " + kind_of(ends);
  });
}

// A coordinator that answers who joins, and damages its answers.
TEST_F(MutatedTraffic, OfACoordinatorEndsAJoiningWorkerAtMost) {
  rounds([&](std::uint64_t seed) -> std::string {
    Damage damage(seed, std::uint64_t{1} << (seed % 4), recorded_);
    auto socket = std::make_unique<RawSocket>(cluster_.admission->self());
    NetWorkerOptions options = cluster_.worker("w1", socket->address());
    options.net.join_timeout = options.net.loss_timeout = Seconds(2);
    auto worker = worker_thread(options);
    const auto end = internal::Clock::now() + std::chrono::seconds(1);
    while (internal::Clock::now() < end &&
           worker.wait_for(std::chrono::seconds(0)) != std::future_status::ready) {
      if (!socket->wait(std::chrono::milliseconds(20))) continue;
      while (const auto asked = socket->receive()) {
        wire::Envelope question;
        wire::Envelope answer;
        if (!question.ParseFromString(std::string(asked->frames.at(0).bytes))) continue;
        if (question.has_join()) answer.mutable_welcome()->set_wait_s(1);
        if (question.has_clock()) {
          answer.mutable_clock()->set_round(question.clock().round());
          answer.mutable_clock()->set_now_s(12.5);
        }
        std::vector<Wired> out = damage(wired(answer));
        if (question.has_clock() && question.clock().round() == 7) {
          wire::Envelope directory;
          for (const char* name : {"w1", "w2"}) {
            auto* entry = directory.mutable_directory()->add_entries();
            entry->set_name(name);
            entry->set_address("tcp://127.0.0.1:1");
            entry->set_public_key(std::string(32, 'k'));
          }
          for (Wired& more : damage(wired(directory))) out.push_back(std::move(more));
        }
        for (const Wired& message : out) socket->send(message, asked->identity);
      }
    }
    socket.reset();
    return kind_of(worker.get());
  });
}

}  // namespace
}  // namespace lingua::testing
