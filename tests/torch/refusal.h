#pragma once
// What LibTorch says of a call that it refuses.

#include <c10/util/Exception.h>

#include <functional>
#include <string>

namespace lingua {

// Empty when it does not refuse it.
inline std::string refusal(const std::function<void()>& run) {
  try {
    run();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
  return "";
}

}  // namespace lingua
