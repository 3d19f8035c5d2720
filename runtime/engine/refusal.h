#pragma once
// A request that cannot be answered while all others can.

#include "runtime/base/errors.h"
#include "runtime/device/message.h"

namespace lingua {

// what() says why, in one line, without the request's number.
class RequestRefused : public WorldError {
 public:
  RequestRefused(RequestId request, const std::string& why) : WorldError(why), request_(request) {}
  RequestId request() const { return request_; }

 private:
  RequestId request_;
};

}  // namespace lingua
