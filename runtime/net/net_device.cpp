#include "runtime/net/net_device.h"

#include <pthread.h>

#include <condition_variable>
#include <csignal>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "runtime/base/errors.h"
#include "runtime/net/joining.h"
#include "runtime/net/mailroom.h"
#include "runtime/net/telemetry.h"

namespace lingua {
namespace {

using internal::Mailroom;
using internal::Membership;

// What the host of another machine is looked for with: an address of the documentation network, to
// which nothing is sent.
constexpr const char* kAnywhere = "192.0.2.1";

// Looks whether the end of the run waits to be heard, and calls `tell` when it has for kPatience.
class EndWatch {
 public:
  using Tell = std::function<void(const std::string& reason)>;

  EndWatch(Mailroom& mailroom, Tell tell) : mailroom_(mailroom), tell_(std::move(tell)) {
    if (!tell_) return;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);  // signals are for the program's own threads
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { watch(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~EndWatch() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;

 private:
  void watch() {
    constexpr int kLooks = 5;
    int seen = 0;
    std::unique_lock lock(mutex_);
    while (!wake_.wait_for(lock, kPatience / kLooks, [this] { return ending_; })) {
      const auto reason = mailroom_.unheard_end();
      seen = reason ? seen + 1 : 0;
      if (seen <= kLooks) continue;
      lock.unlock();
      tell_(*reason);
      return;
    }
  }

  Mailroom& mailroom_;
  const Tell tell_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;  // guarded by mutex_
  std::thread thread_;
};

class NetWorkerDevice : public NetWorker {
 public:
  NetWorkerDevice(const NetWorkerOptions& options, Membership membership,
                  std::unique_ptr<Executor> executor)
      : spec_(options.spec),
        executor_(std::move(executor)),
        telemetry_(options.sensors),
        mailroom_(std::move(membership)),
        end_watch_(mailroom_, options.on_unheard_end) {}

  Seconds now() override { return mailroom_.now(); }
  void send(const DeviceName& to, MessageBody body) override {
    mailroom_.send(to, std::move(body));
  }
  std::optional<Message> receive(Seconds deadline) override { return mailroom_.receive(deadline); }
  Executor& executor() override { return *executor_; }
  const DeviceSpec& spec() const override { return spec_; }
  Telemetry telemetry() override { return telemetry_.read(); }
  double peak_memory_bytes() override { return telemetry_.peak_memory_bytes(); }
  void tell_to_end() override { mailroom_.put(kCoordinator, Stop{}); }

 private:
  DeviceSpec spec_;
  std::unique_ptr<Executor> executor_;
  internal::LocalTelemetry telemetry_;
  Mailroom mailroom_;
  EndWatch end_watch_;
};

// What waits for one reader. Threads: any may put.
class Letterbox {
 public:
  void put(Message message) {
    {
      const std::lock_guard lock(mutex_);
      messages_.push_back(std::move(message));
    }
    arrived_.notify_one();
  }
  std::optional<Message> take(internal::Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    if (!arrived_.wait_until(lock, deadline, [this] { return !messages_.empty(); }))
      return std::nullopt;
    Message message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Message> messages_;  // guarded by mutex_
};

// A client beside the coordinator.
class LocalClient : public Mailbox {
 public:
  LocalClient(DeviceName name, Mailroom& mailroom, std::shared_ptr<Letterbox> letterbox,
              std::function<void()> on_end)
      : name_(std::move(name)),
        mailroom_(mailroom),
        letterbox_(std::move(letterbox)),
        on_end_(std::move(on_end)) {}
  ~LocalClient() override { on_end_(); }

  const DeviceName& name() const override { return name_; }
  Seconds now() override { return mailroom_.now(); }
  void send(const DeviceName& to, MessageBody body) override {
    LINGUA_CHECK(to == kCoordinator, "a client reaches the coordinator, not {}", to);
    mailroom_.put(name_, std::move(body));
  }
  std::optional<Message> receive(Seconds deadline) override {
    return letterbox_->take(mailroom_.time_of(deadline));
  }

 private:
  const DeviceName name_;
  Mailroom& mailroom_;
  const std::shared_ptr<Letterbox> letterbox_;
  const std::function<void()> on_end_;
};

// Until all have joined it has no peers.
class CoordinatorMailbox : public Mailbox {
 public:
  explicit CoordinatorMailbox(internal::RunClock clock) : clock_(clock) {}

  void begin(Membership membership, std::unique_ptr<internal::Reception> reception) {
    auto room = std::make_unique<Mailroom>(std::move(membership), std::move(reception));
    const std::lock_guard lock(mutex_);
    mailroom_ = std::move(room);
    if (told_to_end_) mailroom_->put(kCoordinator, Stop{});
  }
  bool begun() const { return mailroom_ != nullptr; }

  std::unique_ptr<Mailbox> open_client(const DeviceName& name) {
    LINGUA_CHECK(is_client(name), "{}", name);
    auto letterbox = std::make_shared<Letterbox>();
    {
      const std::lock_guard lock(mutex_);
      clients_[name] = letterbox;
    }
    return std::make_unique<LocalClient>(name, room(), std::move(letterbox), [this, name] {
      const std::lock_guard lock(mutex_);
      clients_.erase(name);
    });
  }
  void stop_clients() {
    const Seconds time = now();
    const std::lock_guard lock(mutex_);
    for (auto& [name, letterbox] : clients_) letterbox->put({kCoordinator, Stop{}, time, time, 0});
  }

  void tell_to_end() {
    const std::lock_guard lock(mutex_);
    told_to_end_ = true;
    if (begun()) mailroom_->put(kCoordinator, Stop{});
  }

  std::vector<RelayedLink> relayed() const {
    return begun() ? mailroom_->relayed() : std::vector<RelayedLink>();
  }

  const DeviceName& name() const override { return kCoordinator; }
  Seconds now() override { return clock_.now(); }
  void send(const DeviceName& to, MessageBody body) override {
    if (!is_client(to)) {
      room().send(to, std::move(body));
      return;
    }
    const Seconds time = now();
    const std::lock_guard lock(mutex_);
    const auto client = clients_.find(to);  // else it has gone, with all that was for it
    if (client != clients_.end())
      client->second->put({kCoordinator, std::move(body), time, time, 0});
  }
  std::optional<Message> receive(Seconds deadline) override { return room().receive(deadline); }

 private:
  Mailroom& room() {
    LINGUA_CHECK(begun(), "wait_for() comes first");
    return *mailroom_;
  }

  const internal::RunClock clock_;
  std::unique_ptr<Mailroom> mailroom_;
  std::mutex mutex_;
  bool told_to_end_ = false;                                  // guarded by mutex_
  std::map<DeviceName, std::shared_ptr<Letterbox>> clients_;  // guarded by mutex_
};

WorldError network_failed(const zmq::error_t& error) {
  return WorldError(fmt::format("the network failed on this side: {}", error.what()));
}

// The options with an address in numbers to listen on.
NetOptions bound(NetOptions options, const internal::Inbox& inbox) {
  options.listen = inbox.endpoint();
  return options;
}

Membership coordinator_membership(const NetOptions& options) {
  Membership membership;
  membership.self = kCoordinator;
  membership.key = internal::random_key();
  membership.options = options;
  membership.clock.emplace(internal::Clock::now());
  membership.context = internal::make_context();
  LINGUA_CHECK(options.key.has_value() == (options.admission != nullptr));
  if (options.key) {
    membership.guard = std::make_unique<internal::Guard>(*membership.context);
    membership.guard->open(true);  // devices may come at any time; who has a name belongs to a key
  }
  membership.inbox =
      std::make_unique<internal::Inbox>(*membership.context, options, membership.guard.get());
  return membership;
}

}  // namespace

class NetCoordinator::Impl {
 public:
  explicit Impl(const NetOptions& options)
      : membership(coordinator_membership(options)),
        address(internal::advertised_address(bound(options, *membership.inbox),
                                             membership.inbox->port(), kAnywhere)),
        mailbox(*membership.clock) {}

  Membership membership;
  std::string address;
  CoordinatorMailbox mailbox;
};

NetCoordinator::NetCoordinator(const NetOptions& options) {
  try {
    impl_ = std::make_unique<Impl>(options);
  } catch (const zmq::error_t& error) {
    throw network_failed(error);
  }
}

NetCoordinator::~NetCoordinator() = default;

const std::string& NetCoordinator::address() const { return impl_->address; }

std::vector<DeviceSpec> NetCoordinator::wait_for(const std::vector<DeviceName>& names,
                                                 const std::function<void()>& alive,
                                                 std::size_t at_least, const Suffice& suffice) {
  LINGUA_CHECK(!impl_->mailbox.begun(), "wait_for() is called once");
  if (at_least == 0) at_least = names.size();
  LINGUA_CHECK(at_least <= names.size(), "{} of {}", at_least, names.size());
  try {
    auto reception = std::make_unique<internal::Reception>(names, impl_->membership.options.say);
    std::vector<DeviceSpec> specs =
        internal::gather(impl_->membership, *reception, at_least, suffice, alive);
    impl_->mailbox.begin(std::move(impl_->membership), std::move(reception));
    return specs;
  } catch (const zmq::error_t& error) {
    throw network_failed(error);
  }
}

void NetCoordinator::stop_clients() { impl_->mailbox.stop_clients(); }

void NetCoordinator::tell_to_end() { impl_->mailbox.tell_to_end(); }

std::vector<RelayedLink> NetCoordinator::relayed() const { return impl_->mailbox.relayed(); }

Mailbox& NetCoordinator::mailbox() { return impl_->mailbox; }

std::unique_ptr<Mailbox> NetCoordinator::open_client(const DeviceName& name) {
  return impl_->mailbox.open_client(name);
}

Telemetry read_telemetry(const std::string& sensors) {
  return internal::LocalTelemetry(sensors).read();
}

std::unique_ptr<NetWorker> join_as_worker(const NetWorkerOptions& options,
                                          std::unique_ptr<Executor> executor) {
  try {
    return std::make_unique<NetWorkerDevice>(options, internal::join(options), std::move(executor));
  } catch (const zmq::error_t& error) {
    throw network_failed(error);
  }
}

}  // namespace lingua
