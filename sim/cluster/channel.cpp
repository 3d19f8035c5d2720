#include "sim/cluster/channel.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/cluster/sim_device.h"
#include "sim/cluster/world.h"

namespace lingua {

void Channel::send(Message message) {
  if (closed_) return;
  stream_.push_back(std::move(message));
  ++world_.population().under_way;
  world_.agenda().add(std::max(Agenda::now(), delayed_until_) + latency_s_, *this);
}

void Channel::due() {
  world_.forget_retired();
  if (dropped_ > 0) {
    --dropped_;
    return;
  }
  ++ready_;
  if (!comm_) start();
}

void Channel::start() {
  while (ready_ > 0) {
    const auto bytes = static_cast<std::uint64_t>(std::llround(stream_.front().wire_bytes));
    if (bytes == 0 || &from_ == &to_) {
      deliver();
      continue;
    }
    flow(bytes);
    return;
  }
}

void Channel::flow(std::uint64_t bytes) {
  comm_ = simgrid::s4u::Comm::sendto_init(from_.host(), to_.host());
  comm_->set_data(this);
  comm_->set_payload_size(bytes);
  comm_->start();
}

void Channel::bandwidth_changed() {
  const auto left = static_cast<std::uint64_t>(std::llround(comm_ ? comm_->get_remaining() : 0));
  if (left == 0) return;
  const simgrid::s4u::CommPtr comm = std::exchange(comm_, nullptr);
  comm->cancel();
  world_.retire(comm);
  flow(left);
}

void Channel::completed(const simgrid::s4u::Comm& comm) {
  if (comm_.get() != &comm) return;
  world_.retire(std::move(comm_));
  comm_ = nullptr;
  deliver();
  start();
}

void Channel::deliver() {
  --ready_;
  --world_.population().under_way;
  stream_.front().arrived = Seconds(Agenda::now());
  to_.deliver(stream_);
  if (world_.population().under_way == 0) world_.look_for_deadlock();
}

void Channel::close() {
  closed_ = true;
  cut();
}

void Channel::cut() {
  world_.population().under_way -= static_cast<int>(stream_.size());
  dropped_ += stream_.size() - ready_;
  stream_.clear();
  ready_ = 0;
  if (!comm_) return;
  const simgrid::s4u::CommPtr comm = std::exchange(comm_, nullptr);
  comm->cancel();
  world_.retire(comm);
}

}  // namespace lingua
