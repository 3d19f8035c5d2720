#pragma once
// Planners in files of their own: `--planner ./mine.so` wherever a planner is named.
//
// A module is a source that ends with LINGUA_PLANNER, made by the compiler and from the sources that the program was
// made of:  c++ -std=c++20 -O2 -shared -fPIC -I SOURCES mine.cpp -o mine.so
// What it calls is in the program. It is part of the program from then on: its code is trusted, and it stays loaded.
// Errors: UsageError names the file, and why it is no module. Threads: any, and so must its planner be.

#include <array>
#include <cstddef>
#include <string>

#include "runtime/planner/planner.h"

namespace lingua {

// How this program's types are laid out, so that a module that was made from other sources is found out.
using PlannerLayout = std::array<std::size_t, 8>;
inline constexpr PlannerLayout kPlannerLayout = {1,
                                                 sizeof(PlannerEntry),
                                                 sizeof(PlannerResult),
                                                 sizeof(PlanRequest),
                                                 sizeof(Stage),
                                                 sizeof(Segmentation),
                                                 sizeof(Segment),
                                                 sizeof(ClusterSpec)};

struct PlannerModule {
  PlannerLayout layout;
  const char* summary;  // one line
  PlannerResult (*run)(const PlanRequest& request);
};

// Whether a planner's name is that of a file: it has a slash, or ends with ".so".
bool is_planner_file(const std::string& name);

// The planner of a module, whose name is the file as it is written here. Loaded once.
const PlannerEntry& planner_of_file(const std::string& file);

}  // namespace lingua

// LINGUA_PLANNER("what it does, in a line", plan_mine): outside of namespaces.
#define LINGUA_PLANNER(summary, run)                                                    \
  extern "C" const lingua::PlannerModule* lingua_planner() {                            \
    static const lingua::PlannerModule module = {lingua::kPlannerLayout, summary, run}; \
    return &module;                                                                     \
  }
