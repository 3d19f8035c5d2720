#pragma once
// Whom the parts of this folder tell what comes up while they work: they print nothing themselves.
//
// Any of the functions may be empty: nobody listens. Threads: called on the thread of whoever works, say() on any.

#include <fmt/format.h>

#include <functional>
#include <string>
#include <utility>

namespace lingua {

// How far one piece of work is, in a unit of its own; what it was made for is over when it is destroyed.
using ProgressUpdate = std::function<void(double done, double total, const std::string& detail)>;

struct Audience {
  // Whole lines, each with its end: notes, what is waited for, where files are.
  std::function<void(const std::string& text)> say = {};
  // Work begins that takes a while: "simulating".
  std::function<ProgressUpdate(const std::string& label)> progress = {};
  // A line for another machine that was just said, which a camera may read too.
  std::function<void(const std::string& line)> picture = {};
  // A result, as JSON, that was to be in a file which cannot be written: the error follows.
  std::function<void(const std::string& json)> rescue = {};

  template <class... Args>
  void tell(fmt::format_string<Args...> format, Args&&... args) const {
    if (say) say(fmt::format(format, std::forward<Args>(args)...));
  }
  ProgressUpdate begin(const std::string& label) const {
    if (ProgressUpdate update = progress ? progress(label) : nullptr) return update;
    return [](double, double, const std::string&) {};
  }
};

}  // namespace lingua
