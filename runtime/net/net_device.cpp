#include "runtime/net/net_device.h"

#include <pthread.h>

#include <condition_variable>
#include <csignal>
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

class NetWorkerDevice : public Device {
 public:
  NetWorkerDevice(const NetWorkerOptions& options, Membership membership,
                  std::unique_ptr<Executor> executor)
      : spec_(options.spec),
        executor_(std::move(executor)),
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

 private:
  DeviceSpec spec_;
  std::unique_ptr<Executor> executor_;
  internal::LocalTelemetry telemetry_;
  Mailroom mailroom_;
  EndWatch end_watch_;
};

// The coordinator's device runs no segments. Until all have joined it has no peers.
class NetCoordinatorDevice : public Device {
 public:
  explicit NetCoordinatorDevice(internal::RunClock clock) : clock_(clock) {
    spec_.name = kCoordinator;
  }

  void begin(Membership membership) {
    mailroom_ = std::make_unique<Mailroom>(std::move(membership));
  }
  bool begun() const { return mailroom_ != nullptr; }

  Seconds now() override { return clock_.now(); }
  void send(const DeviceName& to, MessageBody body) override { room().send(to, std::move(body)); }
  std::optional<Message> receive(Seconds deadline) override { return room().receive(deadline); }
  Executor& executor() override {
    LINGUA_CHECK(false, "the coordinator runs no segments");
    std::abort();
  }
  const DeviceSpec& spec() const override { return spec_; }
  Telemetry telemetry() override { return telemetry_.read(); }

 private:
  Mailroom& room() {
    LINGUA_CHECK(begun(), "wait_for() comes first");
    return *mailroom_;
  }

  internal::RunClock clock_;
  DeviceSpec spec_;
  internal::LocalTelemetry telemetry_;
  std::unique_ptr<Mailroom> mailroom_;
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
    membership.guard->open(true);  // until all have joined
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
        device(*membership.clock) {}

  Membership membership;
  std::string address;
  NetCoordinatorDevice device;
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
                                                 const std::function<void()>& alive) {
  LINGUA_CHECK(!impl_->device.begun(), "wait_for() is called once");
  try {
    std::vector<DeviceSpec> specs = internal::gather(impl_->membership, names, alive);
    impl_->device.begin(std::move(impl_->membership));
    return specs;
  } catch (const zmq::error_t& error) {
    throw network_failed(error);
  }
}

Device& NetCoordinator::device() { return impl_->device; }

std::unique_ptr<Device> join_as_worker(const NetWorkerOptions& options,
                                       std::unique_ptr<Executor> executor) {
  try {
    return std::make_unique<NetWorkerDevice>(options, internal::join(options), std::move(executor));
  } catch (const zmq::error_t& error) {
    throw network_failed(error);
  }
}

}  // namespace lingua
