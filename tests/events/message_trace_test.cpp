// One line for each message, whatever mailbox it goes through.

#include "runtime/events/message_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <sstream>

namespace lingua {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class FakeMailbox : public Mailbox {
 public:
  explicit FakeMailbox(DeviceName name) : name_(std::move(name)) {}
  const DeviceName& name() const override { return name_; }
  Seconds now() override { return now_; }
  void send(const DeviceName& to, MessageBody body) override {
    sent_.emplace_back(to, std::move(body));
  }
  std::optional<Message> receive(Seconds) override {
    if (inbox_.empty()) return std::nullopt;
    Message message = std::move(inbox_.front());
    inbox_.pop_front();
    return message;
  }

  DeviceName name_;
  Seconds now_{0};
  std::deque<Message> inbox_;
  std::vector<std::pair<DeviceName, MessageBody>> sent_;
};

double hundred_bytes(const MessageBody&) { return 100; }

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(MessageTrace, HasALineForEachMessageSentAndReceived) {
  MessageTrace trace(hundred_bytes);
  FakeMailbox anna("anna");
  TracedMailbox traced(anna, trace);
  Activations activations;
  activations.epoch = 2;
  activations.request = 7;
  activations.step_index = 3;
  anna.now_ = Seconds(0.5);
  traced.send("ben", activations);
  anna.now_ = Seconds(1.5);
  anna.inbox_.push_back({"coordinator", Stop{}, Seconds(1), Seconds(1.25), 33});
  EXPECT_TRUE(traced.receive(Seconds(2)));
  EXPECT_FALSE(traced.receive(Seconds(2))) << "nothing came, and nothing is noted";
  EXPECT_THAT(anna.sent_, SizeIs(1)) << "it went on to the mailbox";
  EXPECT_THAT(lines_of(trace.text()),
              ElementsAre("time,what,from,to,kind,epoch,request,step,bytes,arrived",
                          "0.5,sent,anna,ben,Activations,2,7,3,100,-1",
                          "1.5,received,coordinator,anna,Stop,-1,-1,-1,33,1.25"));
}

TEST(MessageTrace, BetweenAClientAndItsCoordinatorNothingGoesOverAWire) {
  MessageTrace trace(hundred_bytes);
  FakeMailbox client("client:1");
  FakeMailbox coordinator(kCoordinator);
  TracedMailbox(client, trace).send(kCoordinator, Cancel{4});
  TracedMailbox(coordinator, trace).send("client:1", TokenMade{4, 2, 17});
  EXPECT_THAT(lines_of(trace.text()),
              ElementsAre(::testing::_, "0,sent,client:1,coordinator,Cancel,-1,4,-1,0,-1",
                          "0,sent,coordinator,client:1,TokenMade,-1,4,2,0,-1"));
}

TEST(MessageTrace, NamesEachKindAsItsMessagesDescribeThemselves) {
  MessageTrace trace(hundred_bytes);
  FakeMailbox anna("anna");
  TracedMailbox traced(anna, trace);
  for (const MessageBody& body : std::vector<MessageBody>{
           Prepare{}, Lacks{}, SegmentProgram{}, WeightChunk{}, WeightAck{}, Ready{}, Retire{},
           Failed{}, Submit{}, StepResult{}, Done{}, Refused{}, Release{}, Attach{}, LinkLost{}})
    traced.send("ben", body);
  const auto lines = lines_of(trace.text());
  ASSERT_THAT(lines, SizeIs(16));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string kind = lines[i].substr(16, lines[i].find(',', 16) - 16);
    EXPECT_TRUE(describe(anna.sent_[i - 1].second).starts_with(kind)) << lines[i];
  }
}

TEST(MessageTrace, KeepsManyMoreThanItHoldsInMemory) {
  MessageTrace trace(hundred_bytes);
  FakeMailbox anna("anna");
  TracedMailbox traced(anna, trace);
  constexpr int kMany = 20'000;
  for (int i = 0; i < kMany; ++i) {
    anna.now_ = Seconds(i);
    traced.send("ben", Release{i});
    anna.sent_.clear();
  }
  const auto lines = lines_of(trace.text());
  ASSERT_THAT(lines, SizeIs(kMany + 1));
  EXPECT_EQ(lines[kMany], "19999,sent,anna,ben,Release,-1,19999,-1,100,-1");
  traced.send("ben", Stop{});
  EXPECT_THAT(lines_of(trace.text()), SizeIs(kMany + 2)) << "it may be asked more than once";
}

TEST(MessageTrace, SeveralAreMergedByTime) {
  std::istringstream a("time,what\n0.5,sent,a\n10,sent,a\n");
  std::istringstream b("time,what\n2e-05,sent,b\n0.5,received,b\nno line\n");
  std::istringstream none("");
  std::ostringstream out;
  merge_message_traces({&a, &none, &b}, out);
  EXPECT_THAT(lines_of(out.str()),
              ElementsAre("time,what,from,to,kind,epoch,request,step,bytes,arrived", "2e-05,sent,b",
                          "0.5,sent,a", "0.5,received,b", "10,sent,a"));
}

}  // namespace
}  // namespace lingua
