#include "sim/cluster/sim_device.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "sim/cluster/sim_executor.h"
#include "sim/cluster/world.h"

namespace lingua {

namespace s4u = simgrid::s4u;

SimDevice::SimDevice(World& world, DeviceSpec spec, s4u::Host* host)
    : world_(world), spec_(std::move(spec)), host_(host), semaphore_(s4u::Semaphore::create(0)) {}

SimDevice::~SimDevice() = default;

void SimDevice::be_absent() {
  LINGUA_CHECK(!body_, "device {} was started before it was said to be absent", spec_.name);
  gone_ = true;
}

void SimDevice::start(std::function<void(Device&)> body) {
  LINGUA_CHECK(!body_, "device {} was started twice", spec_.name);
  body_ = std::move(body);
  if (!gone_) begin();
}

void SimDevice::join() {
  LINGUA_CHECK(body_ && gone_, "device {} cannot join", spec_.name);
  ++joins_;
  gone_ = false;
  executor_.reset();
  lost_.clear();
  semaphore_ = s4u::Semaphore::create(0);
  exec_ = nullptr;
  busy_s_ = 0;
  read_at_s_ = Agenda::now();
  begin();
}

void SimDevice::begin() {
  running_ = true;
  ++world_.population().running;
  actor_ = simgrid_compat::add_actor(*s4u::Engine::get_instance(), spec_.name, host_,
                                     [this] { live(); });
}

void SimDevice::live() {
  std::exception_ptr error;
  try {
    if (joins_ > 0) send(kCoordinator, Hello{spec_});
    body_(*this);
  } catch (const std::exception&) {
    error = std::current_exception();
  }
  leave();
  world_.ended(error);
}

void SimDevice::leave() {
  if (!running_) return;
  if (waits_for_ever()) --world_.population().waiting_for_ever;
  waiting_ = false;
  running_ = false;
  gone_ = true;
  inbox_.clear();
  --world_.population().running;
}

void SimDevice::kill() {
  leave();
  actor_->kill();
}

Channel& SimDevice::channel_to(const DeviceName& to) {
  Channel*& channel = channels_[to];
  if (channel == nullptr) channel = &world_.channel(*this, to);
  return *channel;
}

void SimDevice::send(const DeviceName& to, MessageBody body) {
  Channel& channel = channel_to(to);
  if (gone_ || channel.to().gone() || lost_.contains(to)) return;
  Message message;
  message.from = spec_.name;
  const bool is_local = is_client(spec_.name) || is_client(to);
  message.wire_bytes = is_local ? 0 : world_.options().wire_bytes(body);
  message.body = std::move(body);
  message.sent = now();
  channel.send(std::move(message));
}

std::optional<Message> SimDevice::receive(Seconds deadline) {
  while (inbox_.empty()) {
    if (Agenda::now() >= deadline.count()) return std::nullopt;
    wait(deadline.count());
  }
  std::optional<Message> message(std::move(inbox_.front()));
  inbox_.pop_front();
  return message;
}

void SimDevice::wait(double deadline) {
  waiting_ = true;
  deadline_ = deadline;
  if (waits_for_ever()) {
    ++world_.population().waiting_for_ever;
    world_.look_for_deadlock();
  } else if (deadline < alarm_) {
    alarm_ = deadline;
    world_.agenda().add(deadline, *this);
  }
  semaphore_->acquire();
}

void SimDevice::wake() {
  if (!waiting_) return;
  if (waits_for_ever()) --world_.population().waiting_for_ever;
  waiting_ = false;
  semaphore_->release();
}

void SimDevice::due() {
  if (alarm_ <= Agenda::now()) alarm_ = std::numeric_limits<double>::infinity();
  if (!waiting_ || waits_for_ever()) return;
  if (deadline_ <= Agenda::now()) {
    wake();
  } else if (deadline_ < alarm_) {
    alarm_ = deadline_;
    world_.agenda().add(deadline_, *this);
  }
}

void SimDevice::deliver(std::list<Message>& messages) {
  if (gone_ || lost_.contains(messages.front().from)) {
    messages.pop_front();
    return;
  }
  inbox_.splice(inbox_.end(), messages, messages.begin());
  wake();
}

void SimDevice::lose(const DeviceName& peer, const std::string& reason) {
  if (!running_ || !lost_.insert(peer).second) return;
  const Seconds now{Agenda::now()};
  inbox_.push_back({peer, PeerLost{reason}, now, now, 0});
  wake();
}

Executor& SimDevice::executor() {
  if (!executor_) {
    executor_ = std::make_unique<SimExecutor>(*this, world_.options().make_executor(spec_));
  }
  return *executor_;
}

void SimDevice::compute(Seconds time) {
  const double start = Agenda::now();
  left_ = time.count();
  while (left_ > 0) {
    exec_ = s4u::this_actor::exec_init(left_ * spec_.flops_per_s / speed_);
    try {
      exec_->wait();
      left_ = 0;
    } catch (const simgrid::CancelException&) {  // change_speed() has set left_
    }
  }
  exec_ = nullptr;
  busy_s_ += Agenda::now() - start;
}

void SimDevice::throttle(double factor) {
  throttled_ *= factor;
  change_speed();
}

void SimDevice::supply(double speed) {
  supplied_ = speed;
  change_speed();
}

void SimDevice::change_speed() {
  const double before = std::exchange(speed_, throttled_ * supplied_);
  if (!exec_ || gone_) return;
  left_ = exec_->get_remaining() / spec_.flops_per_s * before;
  exec_->cancel();
}

Telemetry SimDevice::telemetry() {
  Telemetry telemetry;
  telemetry.free_memory_bytes = spec_.memory_bytes;
  const double elapsed = Agenda::now() - read_at_s_;
  telemetry.load = elapsed > 0 ? std::min(1.0, busy_s_ / elapsed) : 0;
  busy_s_ = 0;
  read_at_s_ = Agenda::now();
  return telemetry;
}

}  // namespace lingua
