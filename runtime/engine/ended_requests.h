#pragma once
// Which requests are over, in little memory: numbers are given in ascending order and all end at last.

#include <set>

#include "runtime/device/message.h"

namespace lingua {

class EndedRequests {
 public:
  void add(RequestId request) {
    if (request < floor_) return;
    above_.insert(request);
    while (above_.erase(floor_) == 1) ++floor_;
  }
  bool contains(RequestId request) const { return request < floor_ || above_.contains(request); }

 private:
  RequestId floor_ = 0;  // all below are over
  std::set<RequestId> above_;
};

}  // namespace lingua
