#pragma once
// A device as a SimGrid actor.
//
// send() costs no time and no switch of context; receive() takes from the device's own inbox, into
// which channels put messages at the moment of their arrival, even while the device computes.

#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>

#include "runtime/device/device.h"
#include "sim/cluster/agenda.h"
#include "sim/cluster/compat.h"

namespace lingua {

class Channel;
class SimExecutor;
class World;

class SimDevice final : public Device, public Scheduled {
 public:
  SimDevice(World& world, DeviceSpec spec, simgrid::s4u::Host* host);
  ~SimDevice();

  Seconds now() override { return Seconds(Agenda::now()); }
  void send(const DeviceName& to, MessageBody body) override;
  std::optional<Message> receive(Seconds deadline) override;
  Executor& executor() override;
  const DeviceSpec& spec() const override { return spec_; }
  Telemetry telemetry() override;

  simgrid::s4u::Host* host() const { return host_; }
  bool running() const { return running_; }
  // It is not there yet, its body has returned, or it was killed: messages to it vanish.
  bool gone() const { return gone_; }
  // How often it has come in mid-run.
  int joins() const { return joins_; }
  bool waits_for_ever() const { return waiting_ && deadline_ >= kNever.count(); }

  // Is not there until it joins. REQUIRES: it was not started.
  void be_absent();
  void start(std::function<void(Device&)> body);
  // Runs its body anew and says Hello first; knows nothing of what it was. REQUIRES: start(); gone.
  void join();

  // In an actor: takes `time` at full speed, longer when throttled.
  void compute(Seconds time);

  // Takes the first message of the list.
  void deliver(std::list<Message>& messages);
  // Has the PeerLost of another, once, and neither hears nor sends it anything from then on.
  void lose(const DeviceName& peer, const std::string& reason);
  // Another is there anew, which has not been lost.
  void meet(const DeviceName& peer) { lost_.erase(peer); }
  Channel& channel_to(const DeviceName& to);
  void throttle(double factor);
  // So many times its nominal speed, besides what throttle() takes of it.
  void supply(double speed);
  // Ends the body, wherever it stands.
  void kill();
  // A deadline.
  void due() override;

 private:
  void change_speed();
  void begin();
  void live();
  void leave();
  void wait(double deadline);
  void wake();

  World& world_;
  DeviceSpec spec_;
  simgrid::s4u::Host* host_;
  std::function<void(Device&)> body_;
  int joins_ = 0;
  simgrid::s4u::ActorPtr actor_;
  std::unique_ptr<SimExecutor> executor_;
  std::unordered_map<DeviceName, Channel*> channels_;

  bool running_ = false;
  bool gone_ = false;
  std::set<DeviceName> lost_;  // for this device
  std::list<Message> inbox_;
  simgrid::s4u::SemaphorePtr semaphore_;
  bool waiting_ = false;
  double deadline_ = 0;
  double alarm_ = std::numeric_limits<double>::infinity();  // the earliest entry in the agenda

  double throttled_ = 1;
  double supplied_ = 1;
  double speed_ = 1;  // share of spec_.flops_per_s: both of them
  simgrid::s4u::ExecPtr exec_;
  double left_ = 0;  // seconds at full speed that an interrupted exec_ has left
  double busy_s_ = 0;
  double read_at_s_ = 0;
};

}  // namespace lingua
