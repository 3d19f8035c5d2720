#pragma once
// Whether a run has come to a standstill, judged from what its devices say of themselves.
//
// When nothing has come for a while all devices are asked (AskStanding). They answer between two
// segments. The run stands still when twice in a row none has work at hand, none has a message on
// its way (as many were received as were sent) and nothing else came in between; or when a device
// gives no answer for the whole timeout while nothing comes from any. A device that computes
// answers late or says that it is busy, and a slow link that carries a message shows as a message
// on its way: neither is a standstill. Pure: no clock, no Device.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

class StallWatch {
 public:
  // A timeout of kNever: it never asks.
  StallWatch(std::vector<DeviceName> devices, Seconds timeout);

  // From now on these devices. A round that is under way is none any more.
  void watch(std::vector<DeviceName> devices);
  // Something other than Standing came, or work was given.
  void moved(Seconds now);
  // When look() is to be called at the latest.
  Seconds next() const;
  // True: ask all devices now.
  bool look(Seconds now);
  void heard(const DeviceName& device, const Standing& progress, Seconds now);
  // What to say of a standstill, in one line; nothing while there is none.
  std::optional<std::string> standstill(Seconds now) const;

 private:
  void end_round(Seconds now);

  std::vector<DeviceName> devices_;
  Seconds timeout_;
  Seconds interval_;
  Seconds moved_{0};              // when something last did
  Seconds ask_{0};                // when a round may begin
  std::optional<Seconds> asked_;  // a round is under way
  bool moved_in_round_ = false;
  int idle_rounds_ = 0;
  std::int64_t messages_ = 0;  // at the end of the last idle round
  std::map<DeviceName, Standing> answers_;
};

}  // namespace lingua
