#pragma once
// What a coordinator notes of its requests, so that one after it goes on where it was lost.
//
// Requests that generate tokens only: a single pass has nothing half done. What is known of a request is its
// answer so far; all else is the next coordinator's own. No I/O here: whoever writes entries down is a Journal.
// Order: entries of one request in the order in which they came about, its beginning first.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/base/digest.h"
#include "runtime/device/message.h"

namespace lingua {

// What decides on the tokens of a request, with the model.
struct RequestContent {
  Digest inputs;  // of their dtypes, shapes and contents
  std::int64_t max_tokens = 0;
  std::vector<TokenId> stop_tokens;
  Sampling sampling;  // as it is by default where it is greedy
  bool operator==(const RequestContent&) const = default;
};

RequestContent content_of(const Submit& submit);

// What is not the same, as "max_tokens is 8 there and 9 here"; empty when all is.
std::string difference(const RequestContent& there, const RequestContent& here);

// A request by its client and the client's own number of it, which names no other one for good.
using RequestName = std::pair<DeviceName, RequestId>;

struct RequestBegun {
  RequestName name;
  RequestContent content;
};
struct TokenNoted {
  RequestName name;
  std::int64_t index = 0;
  TokenId token = kNoToken;
};
// Its client asked for no more tokens, and it is over before they are all. Any other end is that of its tokens.
struct RequestCancelled {
  RequestName name;
};
using JournalEntry = std::variant<RequestBegun, TokenNoted, RequestCancelled>;

// What entries come to.
class RequestHistory {
 public:
  struct Request {
    RequestContent content;
    std::vector<TokenId> tokens;
    std::optional<Ending> ending;  // of one that is over
  };

  // What is wrong with an entry after those before it, which is then as if it were not there; empty when
  // nothing is.
  std::string take(const JournalEntry& entry);
  // Null for one that is not known.
  const Request* find(const RequestName& name) const;

 private:
  std::map<RequestName, Request> requests_;
};

class Journal {
 public:
  virtual ~Journal() = default;
  // Of all entries so far.
  virtual const RequestHistory& history() const = 0;
  // Errors: InputError when they cannot be written down, after which none is asked for.
  virtual void append(const std::vector<JournalEntry>& entries) = 0;
};

}  // namespace lingua
