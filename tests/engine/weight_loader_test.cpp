#include "runtime/engine/weight_loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "runtime/base/errors.h"
#include "tests/support/toy_model.h"

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

// A device without executor: what the loader asks for is brought to it.
class WeightLoaderTest : public ::testing::Test {
 protected:
  Prepare prepare(Epoch epoch, const std::vector<SegmentId>& ids) const {
    Prepare prepare;
    prepare.epoch = epoch;
    prepare.has_data = true;
    prepare.segmentation = "of the toy";
    for (SegmentId id : ids)
      prepare.segments.push_back(model_.segments[static_cast<std::size_t>(id)]);
    return prepare;
  }

  Lacks lacks_of(const Prepare& prepare) {
    Effects effects;
    loader_.prepare(prepare, Seconds(0), effects);
    EXPECT_EQ(effects.letters.size(), 1U);
    return std::get<Lacks>(effects.letters.at(0).body);
  }

  WeightChunk whole(Epoch epoch, const std::string& name) {
    const std::int64_t bytes = name == "shared" ? 24 : 40;
    std::vector<std::byte> content(static_cast<std::size_t>(bytes));
    source_.read({name, DType::kInt64, {bytes / 8}}, 0, bytes, content.data());
    Checksum sum;
    sum.update(content.data(), content.size());
    return {epoch, name, 0, make_bytes_tensor(content.data(), bytes), sum.value()};
  }

  // Brings everything; returns the segments that were loaded, in order.
  std::vector<SegmentId> bring(const Lacks& lacks) {
    Effects effects;
    for (SegmentId id : lacks.programs) loader_.take(SegmentProgram{lacks.epoch, id, "program"});
    for (const std::string& name : lacks.weights)
      loader_.take(whole(lacks.epoch, name), kCoordinator, effects);
    return load();
  }

  std::vector<SegmentId> load() {
    std::vector<SegmentId> loaded;
    Effects effects;
    while (const auto load = loader_.next_load()) {
      EXPECT_EQ(*load->program, "program");
      EXPECT_EQ(load->weights.size(), load->segment->weights.size());
      loaded.push_back(load->segment->id);
      loader_.loaded(*load, Seconds(1), effects);
    }
    return loaded;
  }

  std::optional<Epoch> become_ready() {
    Effects effects;
    return loader_.become_ready(effects);
  }

  // A deployment that stands.
  void deploy(Epoch epoch, const std::vector<SegmentId>& ids) {
    bring(lacks_of(prepare(epoch, ids)));
    ASSERT_EQ(become_ready(), epoch);
  }

  const Segmentation model_ = testing::toy_segmentation(6, true);
  testing::ToySource source_;
  MemoryLedger ledger_{1000};
  WeightLoader loader_{"a", ledger_};
};

TEST_F(WeightLoaderTest, AsksForEachProgramAndForEachWeightOnce) {
  const Lacks lacks = lacks_of(prepare(1, {0, 1}));
  EXPECT_THAT(lacks.programs, ElementsAre(0, 1));
  EXPECT_THAT(lacks.weights, ElementsAre("weight 0", "shared", "weight 1"));
  EXPECT_EQ(ledger_.free_bytes(), 1000 - 40 - 24 - 40);
  EXPECT_EQ(become_ready(), std::nullopt);
  EXPECT_THAT(bring(lacks), ElementsAre(0, 1));
  EXPECT_EQ(become_ready(), 1);
  EXPECT_EQ(become_ready(), std::nullopt) << "said once";
}

TEST_F(WeightLoaderTest, ASecondEpochAsksForWhatTheFirstHasNot) {
  deploy(1, {0, 1});
  const Lacks lacks = lacks_of(prepare(2, {1, 2}));
  EXPECT_THAT(lacks.programs, ElementsAre(2));
  EXPECT_THAT(lacks.weights, ElementsAre("weight 2"));
  EXPECT_TRUE(loader_.is_ready(1)) << "it runs on meanwhile";
  EXPECT_FALSE(loader_.is_ready(2));
  EXPECT_THAT(bring(lacks), ElementsAre(2)) << "segment 1 stays loaded";
  EXPECT_EQ(become_ready(), 2);
  EXPECT_THAT(loader_.retire(1), ElementsAre(0));
  EXPECT_EQ(ledger_.free_bytes(), 1000 - 24 - 40 - 40);
}

TEST_F(WeightLoaderTest, ADeploymentOfWhatIsHeldIsReadyAtOnce) {
  deploy(1, {0, 1, 2});
  const Lacks lacks = lacks_of(prepare(2, {1}));
  EXPECT_THAT(lacks.programs, IsEmpty());
  EXPECT_THAT(lacks.weights, IsEmpty());
  EXPECT_EQ(become_ready(), 2);
  EXPECT_THAT(loader_.retire(1), ElementsAre(0, 2));
}

TEST_F(WeightLoaderTest, WhatWasRetiredIsAskedForAgain) {
  deploy(1, {0});
  loader_.retire(1);
  EXPECT_EQ(ledger_.free_bytes(), 1000);
  const Lacks lacks = lacks_of(prepare(2, {0}));
  EXPECT_THAT(lacks.weights, ElementsAre("weight 0", "shared"));
  EXPECT_THAT(bring(lacks), ElementsAre(0));
}

TEST_F(WeightLoaderTest, ADeploymentThatIsGivenUpHalfWayLeavesTheRunningOne) {
  deploy(1, {0});
  lacks_of(prepare(2, {1, 2}));
  Effects effects;
  loader_.take(SegmentProgram{2, 1, "program"});
  loader_.take(whole(2, "weight 1"), kCoordinator, effects);
  EXPECT_THAT(load(), ElementsAre(1));
  EXPECT_THAT(loader_.retire(2), ElementsAre(1));
  loader_.take(whole(2, "weight 2"), kCoordinator, effects);
  EXPECT_EQ(effects.letters.size(), 1U) << "what comes late is for nobody";
  EXPECT_TRUE(loader_.is_ready(1));
  EXPECT_THAT(lacks_of(prepare(3, {0, 2})).weights, ElementsAre("weight 2"));
}

TEST_F(WeightLoaderTest, RefusesWhatDoesNotFitBesideWhatRuns) {
  MemoryLedger ledger(110);
  WeightLoader loader("a", ledger);
  Effects effects;
  loader.prepare(prepare(1, {0}), Seconds(0), effects);  // 64 bytes
  loader.take(SegmentProgram{1, 0, "program"});
  loader.take(whole(1, "weight 0"), kCoordinator, effects);
  loader.take(whole(1, "shared"), kCoordinator, effects);
  loader.loaded(*loader.next_load(), Seconds(0), effects);
  EXPECT_EQ(loader.become_ready(effects), 1);
  EXPECT_THAT(
      [&] {
        loader.prepare(prepare(2, {1, 2}), Seconds(0), effects);
      },
      ThrowsMessage<WorldError>(HasSubstr("weights of 144 B do not fit the memory of 110 B")));
  EXPECT_FALSE(loader.knows(2));
  EXPECT_TRUE(loader.is_ready(1));
  EXPECT_EQ(ledger.free_bytes(), 110 - 64);
}

TEST_F(WeightLoaderTest, RefusesDeploymentsThatContradictWhatIsHeld) {
  const auto prepared = [&](Prepare next) {
    return [this, next = std::move(next)] {
      Effects effects;
      loader_.prepare(next, Seconds(0), effects);
    };
  };
  deploy(1, {0, 1});
  EXPECT_THAT(prepared(prepare(1, {2})), ThrowsMessage<WorldError>(HasSubstr("after one of")));
  Prepare other = prepare(2, {2});
  other.segmentation = "of another";
  EXPECT_THAT(prepared(other), ThrowsMessage<WorldError>(HasSubstr("of another model")));
  other = prepare(2, {1});
  other.segments[0].name = "changed";
  EXPECT_THAT(prepared(other), ThrowsMessage<WorldError>(HasSubstr("another segment 1")));
  other = prepare(2, {2, 2});
  EXPECT_THAT(prepared(other), ThrowsMessage<WorldError>(HasSubstr("segment 2 twice")));
  other = prepare(2, {2});
  other.segments[0].weights[1].shape = {4};
  EXPECT_THAT(prepared(other), ThrowsMessage<WorldError>(HasSubstr("two weights 'shared'")));
  lacks_of(prepare(2, {2}));
  EXPECT_THAT(prepared(prepare(3, {3})), ThrowsMessage<WorldError>(HasSubstr("2 is not ready")));
}

TEST_F(WeightLoaderTest, RefusesProgramsAndWeightsThatNobodyAskedFor) {
  deploy(1, {0});
  Effects effects;
  EXPECT_THROW(loader_.take(SegmentProgram{1, 0, "again"}), WorldError);
  EXPECT_THROW(loader_.take(SegmentProgram{1, 5, "unknown"}), WorldError);
  EXPECT_THROW(loader_.take(whole(1, "weight 0"), kCoordinator, effects), WorldError)
      << "it is complete";
  EXPECT_THROW(loader_.take(whole(1, "weight 3"), kCoordinator, effects), WorldError);
}

// Devices of which none but the coordinator is believed.
class GivenWeightsTest : public WeightLoaderTest {
 protected:
  GivenWeightsTest() {
    Prepare next = prepare(1, {0, 1});
    for (const Segment& segment : next.segments) {
      for (const WeightSpec& weight : segment.weights)
        next.digests.emplace(weight.name, *source_.digest(weight));
    }
    next.digests.erase("weight 1");
    lacks_of(next);
  }

  // What the loader says to a piece: to its sender, and of it to the coordinator.
  struct Said {
    int answers = 0;
    std::optional<WeightHeld> held;
  };
  Said take(const WeightChunk& chunk, const DeviceName& from) {
    Effects effects;
    loader_.take(chunk, from, effects);
    Said said;
    for (const Letter& letter : effects.letters) {
      if (const auto* held = std::get_if<WeightHeld>(&letter.body)) {
        EXPECT_EQ(letter.to, kCoordinator);
        said.held = *held;
      } else {
        EXPECT_EQ(letter.to, from);
        EXPECT_TRUE(std::holds_alternative<WeightAck>(letter.body));
        ++said.answers;
      }
    }
    return said;
  }
};

TEST_F(GivenWeightsTest, AWeightThatADeviceGivesIsAnsweredToItAndReported) {
  const Said said = take(whole(1, "weight 0"), "b");
  EXPECT_EQ(said.answers, 1);
  ASSERT_TRUE(said.held);
  EXPECT_EQ(said.held->from, "b");
  EXPECT_EQ(said.held->weight, "weight 0");
  EXPECT_EQ(said.held->bytes, 40);
  EXPECT_EQ(said.held->trouble, "");
  EXPECT_FALSE(take(whole(1, "weight 0"), kCoordinator).held) << "it came late";
  EXPECT_EQ(take(whole(2, "weight 0"), "b").answers, 0) << "of an epoch that is not known";
}

TEST_F(GivenWeightsTest, AWrongWeightIsRefusedInOneLineAndNoMoreIsTakenFromThere) {
  WeightChunk wrong = whole(1, "weight 0");
  std::string content(40, 'x');
  wrong.bytes = make_bytes_tensor(content.data(), 40);
  wrong.checksum = checksum(content);
  const Said said = take(wrong, "b");
  ASSERT_TRUE(said.held);
  EXPECT_THAT(said.held->trouble, HasSubstr("digest"));
  EXPECT_EQ(take(whole(1, "shared"), "b").answers, 1) << "who sends may go on, for nothing";
  EXPECT_FALSE(take(whole(1, "shared"), "b").held);
  EXPECT_TRUE(take(whole(1, "shared"), "c").held->trouble.empty());
  loader_.take(SegmentProgram{1, 0, "program"});
  EXPECT_THAT(load(), IsEmpty()) << "the wrong one is not used";
  take(whole(1, "weight 0"), kCoordinator);
  EXPECT_THAT(load(), ElementsAre(0));
}

TEST_F(GivenWeightsTest, WhatCannotBeCheckedOrIsNoWeightIsRefused) {
  EXPECT_THAT(take(whole(1, "weight 1"), "b").held->trouble, HasSubstr("cannot be checked"));
  WeightChunk hollow = whole(1, "weight 0");
  hollow.bytes.data = nullptr;
  EXPECT_THAT(take(hollow, "c").held->trouble, HasSubstr("cannot be checked"));
  WeightChunk late = whole(1, "weight 0");
  late.offset = 8;
  EXPECT_THAT(take(late, "d").held->trouble, HasSubstr("does not follow"));
  EXPECT_FALSE(take(whole(1, "weight 3"), "e").held) << "nobody uses it here";
}

// A cache in memory.
class ToyCache : public WeightCache {
 public:
  std::shared_ptr<std::byte> find(const Digest& digest, std::int64_t bytes) override {
    asked.push_back(digest);
    const auto found = contents.find(digest);
    if (found == contents.end() || found->second.size() != static_cast<std::size_t>(bytes))
      return nullptr;
    auto data = allocate_bytes(bytes);
    std::memcpy(data.get(), found->second.data(), found->second.size());
    return data;
  }
  void keep(std::shared_ptr<const std::byte> data, std::int64_t bytes) override {
    const std::string content(reinterpret_cast<const char*>(data.get()),
                              static_cast<std::size_t>(bytes));
    contents[digest_of(content)] = content;
  }
  std::map<Digest, std::string> contents;
  std::vector<Digest> asked;
};

class KeptWeightsTest : public WeightLoaderTest {
 protected:
  // A run of its own, on a device with this cache: what is lacked of two segments.
  std::vector<std::string> lacked(const std::map<std::string, Digest>& digests) {
    MemoryLedger ledger(1000);
    WeightLoader loader("a", ledger, &cache_);
    Prepare prepared = prepare(1, {0, 1});
    prepared.digests = digests;
    Effects effects;
    loader.prepare(prepared, Seconds(0), effects);
    const Lacks lacks = std::get<Lacks>(effects.letters.at(0).body);
    EXPECT_THAT(lacks.programs, ElementsAre(0, 1));
    EXPECT_EQ(ledger.free_bytes(), 1000 - 40 - 24 - 40) << "what comes of the cache is held too";
    for (SegmentId id : lacks.programs) loader.take(SegmentProgram{1, id, "program"});
    for (const std::string& name : lacks.weights)
      loader.take(whole(1, name), kCoordinator, effects);
    while (const auto load = loader.next_load()) {
      for (std::size_t i = 0; i < load->weights.size(); ++i)
        expect_content(load->segment->weights[i], load->weights[i]);
      loader.loaded(*load, Seconds(1), effects);
    }
    EXPECT_EQ(loader.become_ready(effects), 1);
    return lacks.weights;
  }
  void expect_content(const WeightSpec& spec, const Tensor& tensor) {
    EXPECT_EQ(digest_of({reinterpret_cast<const char*>(tensor.data.get()),
                         static_cast<std::size_t>(tensor.bytes())}),
              digest(spec.name));
  }
  Digest digest(const std::string& name) {
    const WeightChunk chunk = whole(1, name);
    return digest_of({reinterpret_cast<const char*>(chunk.bytes.data.get()),
                      static_cast<std::size_t>(chunk.bytes.bytes())});
  }
  std::map<std::string, Digest> all() {
    return {{"weight 0", digest("weight 0")},
            {"weight 1", digest("weight 1")},
            {"shared", digest("shared")}};
  }

  ToyCache cache_;
};

TEST_F(KeptWeightsTest, WhatWasSentOnceIsNotLackedInTheNextRun) {
  EXPECT_THAT(lacked({}), ElementsAre("weight 0", "shared", "weight 1"));
  EXPECT_EQ(cache_.contents.size(), 3U);
  EXPECT_THAT(lacked(all()), IsEmpty());
  EXPECT_EQ(cache_.asked.size(), 3U) << "a weight that two segments share is looked for once";
}

TEST_F(KeptWeightsTest, WhatIsGoneOrWhoseDigestIsNotKnownIsLackedAlone) {
  lacked({});
  cache_.contents.erase(digest("shared"));
  auto known = all();
  EXPECT_THAT(lacked(known), ElementsAre("shared"));
  known.erase("weight 1");
  EXPECT_THAT(lacked(known), ElementsAre("weight 1"));
  known["weight 0"] = digest_of("of another model");
  EXPECT_THAT(lacked(known), ElementsAre("weight 0", "weight 1"));
}

TEST_F(KeptWeightsTest, AContentOfAnotherSizeIsNoWeight) {
  lacked({});
  auto known = all();
  known["shared"] = digest("weight 0");
  EXPECT_THAT(lacked(known), ElementsAre("shared"));
}

}  // namespace
}  // namespace lingua
