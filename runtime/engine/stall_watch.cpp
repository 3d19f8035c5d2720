#include "runtime/engine/stall_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/device/mailbox.h"

namespace lingua {

StallWatch::StallWatch(std::vector<DeviceName> devices, Seconds timeout)
    : devices_(std::move(devices)),
      timeout_(timeout),
      interval_(timeout >= kNever ? kNever : std::min(timeout / 4, Seconds(15))) {}

void StallWatch::watch(std::vector<DeviceName> devices) {
  devices_ = std::move(devices);
  asked_.reset();
  idle_rounds_ = 0;
}

void StallWatch::moved(Seconds now) {
  moved_ = now;
  moved_in_round_ = true;
  idle_rounds_ = 0;
  if (!asked_) ask_ = now + interval_;
}

Seconds StallWatch::next() const {
  if (timeout_ >= kNever) return kNever;
  return asked_ ? std::max(*asked_, moved_) + timeout_ : ask_;
}

bool StallWatch::look(Seconds now) {
  if (timeout_ >= kNever || asked_ || now < ask_) return false;
  asked_ = now;
  moved_in_round_ = false;
  answers_.clear();
  return true;
}

void StallWatch::heard(const DeviceName& device, const Standing& progress, Seconds now) {
  if (!asked_) return;
  answers_[device] = progress;
  if (answers_.size() == devices_.size()) end_round(now);
}

void StallWatch::end_round(Seconds now) {
  std::int64_t sent = 0;
  std::int64_t received = 0;
  bool busy = moved_in_round_;
  for (const auto& [device, answer] : answers_) {
    busy = busy || answer.busy;
    sent += answer.sent;
    received += answer.received;
  }
  const bool idle = !busy && sent == received && (idle_rounds_ == 0 || messages_ == sent);
  idle_rounds_ = idle ? idle_rounds_ + 1 : 0;
  messages_ = sent;
  asked_.reset();
  ask_ = now + interval_;
}

std::optional<std::string> StallWatch::standstill(Seconds now) const {
  if (idle_rounds_ >= 2) {
    std::string text = "the run stands still, though all devices and links are there:";
    const char* between = " ";
    for (const auto& [device, answer] : answers_) {
      text += fmt::format("{}{} {}", std::exchange(between, ", "), device, answer.waits_for);
    }
    return text;
  }
  if (!asked_ || now < std::max(*asked_, moved_) + timeout_) return std::nullopt;
  std::vector<DeviceName> silent;
  std::copy_if(devices_.begin(), devices_.end(), std::back_inserter(silent),
               [&](const DeviceName& device) { return answers_.count(device) == 0; });
  return fmt::format(
      "nothing has come for {} and {} does not say what it does: it hangs, or "
      "computes one segment for longer than that",
      format_quantity(timeout_.count(), Unit::kSeconds), fmt::join(silent, ", "));
}

}  // namespace lingua
