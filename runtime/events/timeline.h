#pragma once
// The event log as a timeline that opens in Perfetto and chrome://tracing.
//
// One process row per device with its computing, one track per link with its transfers, one track
// per request in flight at the header. Times in microseconds. Slices that overlap on one track get
// tracks of their own.
// Source: Trace Event Format (Chromium), "X" (complete) and "M" (metadata) events.

#include <filesystem>
#include <string>

#include "runtime/events/event_log.h"

namespace lingua {

std::string timeline_json(const EventLog& log, const std::string& title);
void write_timeline(const EventLog& log, const std::string& title,
                    const std::filesystem::path& file);

}  // namespace lingua
