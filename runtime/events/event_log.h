#pragma once
// The event log of a run: one table with the same columns in all three worlds.
//
// Columns (CSV, one header line): who,what,segment,request,step,start,end,bytes
//   who     a device, "coordinator", or "from->to" for a transfer
//   what    one of the kinds below
//   segment, request, step   -1 where it does not apply; step 0 is the prompt, or its first piece
//   start, end               seconds since the run began
//   bytes                    on the wire (transfer, result), of weights (load), of outputs (compute)
// Order: by start, then end, who, what, segment, request, step.
// Determinism: a simulation's log is the same for the same seed; its digest tells.
// Errors: read_event_log throws InputError with file and line.

#include <array>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <iterator>
#include <string>
#include <vector>

#include "runtime/device/message.h"

namespace lingua {

namespace event {
inline constexpr const char* kLoad = "load";          // weights received and program loaded
inline constexpr const char* kCompute = "compute";    // one segment of one step
inline constexpr const char* kTransfer = "transfer";  // activations from device to device
inline constexpr const char* kResult = "result";      // a token's way from tailer to header
inline constexpr const char* kStep = "step";          // at the header: tokens in to token out
inline constexpr const char* kRequest = "request";    // at the header: prompt in to last token out
inline constexpr const char* kArrival = "arrival";  // at a client: a request is there; end = start
// At the coordinator: the next request waits until devices have room for its states.
inline constexpr const char* kMemory = "memory";
// At the coordinator, with the epoch as step and the bytes of weights that were sent: a new plan is prepared
// beside the running one, requests cross to it, and something was lost until the others were ready.
inline constexpr const char* kMove = "move";
inline constexpr const char* kSwitch = "switch";
inline constexpr const char* kRecovery = "recovery";
// Of a device, with the epoch as step: it has joined, until a plan that uses it served.
inline constexpr const char* kJoin = "join";

bool is_kind(const std::string& what);
// What devices write, and not the coordinator.
bool is_of_device(const std::string& what);
}  // namespace event

// Tells whether two logs have the same rows, as often each, in whatever order they come: XXH3 (64 bit) of the
// sum of the XXH3 of each row, modulo 2^64, and of the number of rows. A row is the bytes of who and what and
// then, of 64 bits each, little-endian, the size of who, segment, request, step, start, end and bytes.
class LogDigest {
 public:
  void add(const EventRow& row);
  std::string text() const;  // 16 hex digits

 private:
  std::array<std::uint64_t, 2> sum_and_count_{};
  std::string row_;
};

class EventLog {
 public:
  void add(const EventRow& row) { rows_.push_back(row); }
  void add(std::vector<EventRow> rows) {
    rows_.insert(rows_.end(), std::make_move_iterator(rows.begin()),
                 std::make_move_iterator(rows.end()));
  }
  // Puts the rows in their order.
  void sort();
  const std::vector<EventRow>& rows() const { return rows_; }

  std::string digest() const;  // see LogDigest
  void write_csv(std::ostream& out) const;
  std::string to_csv() const;
  static std::string csv_line(const EventRow& row);  // without its end

 private:
  std::vector<EventRow> rows_;
};

void write_event_log(const EventLog& log, const std::filesystem::path& file);
EventLog read_event_log(const std::filesystem::path& file);

}  // namespace lingua
