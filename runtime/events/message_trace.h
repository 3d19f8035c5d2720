#pragma once
// Which messages a run sent and received, one line for each, in the same format in all three worlds.
//
// Columns (CSV, one header line): time,what,from,to,kind,epoch,request,step,bytes,arrived
//   time      seconds since the run began: when it was handed over (sent), or taken (received)
//   what      sent or received
//   from, to  devices, "coordinator", "client:..."
//   kind      of message: "Activations" (runtime/device/message.h)
//   epoch, request, step   -1 where it has none; a client's requests have its own numbers until the
//             coordinator gives them others
//   bytes     on the wire; 0 between a client and its coordinator
//   arrived   when it had come, of a received one: it waited from then to `time`; -1 of a sent one
// Order: by time. The messages of a pair are received in the order in which they were sent.
// Cost: none where no mailbox is decorated; else a line in a file that has no name, per message.
// Threads: a MessageTrace may be used by any; a decorator by the one thread of its mailbox.
// Errors: InputError when the lines cannot be kept, once they are asked for.

#include <functional>
#include <istream>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <vector>

#include "runtime/device/device.h"

namespace lingua {

class MessageTrace {
 public:
  // Of the messages that are sent; of those received the world says it.
  explicit MessageTrace(std::function<double(const MessageBody&)> wire_bytes);
  ~MessageTrace();
  MessageTrace(const MessageTrace&) = delete;
  MessageTrace& operator=(const MessageTrace&) = delete;

  void sent(Mailbox& from, const DeviceName& to, const MessageBody& body);
  void received(Mailbox& by, const Message& message);

  // So far, with the header line.
  std::string text();

 private:
  void append(const std::string& line);
  void spool();

  const std::function<double(const MessageBody&)> wire_bytes_;
  std::mutex mutex_;
  std::string recent_;  // not in the file yet
  int file_ = -1;
  std::int64_t written_bytes_ = 0;
  int error_ = 0;  // as errno has it
};

// Several texts of one run in one, by time. Lines that are none are left out.
void merge_message_traces(const std::vector<std::istream*>& texts, std::ostream& out);

// Mailboxes that note what goes through them. The inner one and the trace outlive them.
class TracedMailbox final : public Mailbox {
 public:
  TracedMailbox(Mailbox& inner, MessageTrace& trace) : inner_(inner), trace_(trace) {}
  TracedMailbox(std::unique_ptr<Mailbox> inner, MessageTrace& trace)
      : owned_(std::move(inner)), inner_(*owned_), trace_(trace) {}

  const DeviceName& name() const override { return inner_.name(); }
  Seconds now() override { return inner_.now(); }
  void send(const DeviceName& to, MessageBody body) override;
  std::optional<Message> receive(Seconds deadline) override;

 private:
  const std::unique_ptr<Mailbox> owned_;
  Mailbox& inner_;
  MessageTrace& trace_;
};

class TracedDevice final : public Device {
 public:
  TracedDevice(Device& inner, MessageTrace& trace) : inner_(inner), mailbox_(inner, trace) {}

  const DeviceName& name() const override { return inner_.name(); }
  Seconds now() override { return inner_.now(); }
  void send(const DeviceName& to, MessageBody body) override { mailbox_.send(to, std::move(body)); }
  std::optional<Message> receive(Seconds deadline) override { return mailbox_.receive(deadline); }
  Executor& executor() override { return inner_.executor(); }
  const DeviceSpec& spec() const override { return inner_.spec(); }
  Telemetry telemetry() override { return inner_.telemetry(); }
  double peak_memory_bytes() override { return inner_.peak_memory_bytes(); }

 private:
  Device& inner_;
  TracedMailbox mailbox_;
};

}  // namespace lingua
