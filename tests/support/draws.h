#pragma once
// How many cases a test draws: as many as LINGUA_DRAWS says, or the few that are drawn in every run.

#include <cstdlib>

namespace lingua::testing {

inline int draws(int otherwise) {
  const char* text = std::getenv("LINGUA_DRAWS");
  return text == nullptr ? otherwise : std::atoi(text);
}

}  // namespace lingua::testing
