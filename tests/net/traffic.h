#pragma once
// The traffic of a run, frame by frame as it goes over the wire.

#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/device/device.h"
#include "runtime/net/wire.h"

namespace lingua::testing {

// The frames of a message.
using Wired = std::vector<std::string>;

inline Wired wired(const std::vector<Frame>& frames) {
  Wired all;
  for (const Frame& frame : frames) all.emplace_back(frame.bytes);
  return all;
}

inline std::vector<Frame> frames_of(const Wired& message) {
  std::vector<Frame> frames;
  for (const std::string& bytes : message) {
    const auto owner = std::make_shared<const std::string>(bytes);
    frames.push_back({*owner, owner});
  }
  return frames;
}

// What was sent in a run. Threads: any.
class Tape {
 public:
  void add(Wired message) {
    const std::lock_guard lock(mutex_);
    messages_.push_back(std::move(message));
  }
  // REQUIRES: nobody adds any more.
  const std::vector<Wired>& messages() const { return messages_; }

 private:
  std::mutex mutex_;
  std::vector<Wired> messages_;
};

// A device that keeps what it sends.
inline void record(Tape& tape, Seconds now, const DeviceName& to, const MessageBody& body) {
  if (is_client(to)) return;  // which no network reaches
  Message message;
  message.sent = now;
  message.body = body;
  tape.add(wired(encode(message)));
}

class RecordedMailbox : public Mailbox {
 public:
  RecordedMailbox(Mailbox& mailbox, Tape& tape) : mailbox_(mailbox), tape_(tape) {}
  const DeviceName& name() const override { return mailbox_.name(); }
  Seconds now() override { return mailbox_.now(); }
  void send(const DeviceName& to, MessageBody body) override {
    record(tape_, now(), to, body);
    mailbox_.send(to, std::move(body));
  }
  std::optional<Message> receive(Seconds deadline) override { return mailbox_.receive(deadline); }

 private:
  Mailbox& mailbox_;
  Tape& tape_;
};

class RecordedDevice : public Device {
 public:
  RecordedDevice(Device& device, Tape& tape) : device_(device), tape_(tape) {}
  Seconds now() override { return device_.now(); }
  void send(const DeviceName& to, MessageBody body) override {
    record(tape_, now(), to, body);
    device_.send(to, std::move(body));
  }
  std::optional<Message> receive(Seconds deadline) override { return device_.receive(deadline); }
  Executor& executor() override { return device_.executor(); }
  const DeviceSpec& spec() const override { return device_.spec(); }
  Telemetry telemetry() override { return device_.telemetry(); }

 private:
  Device& device_;
  Tape& tape_;
};

}  // namespace lingua::testing
