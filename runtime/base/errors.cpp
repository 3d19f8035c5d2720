#include "runtime/base/errors.h"

namespace lingua::internal {

void check_failed(const char* file, int line, const char* condition, const std::string& detail) {
  throw BugError(fmt::format("internal error at {}:{}: {} does not hold{}{}", file, line, condition,
                             detail.empty() ? "" : ": ", detail));
}

}  // namespace lingua::internal
