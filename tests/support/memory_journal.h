#pragma once
// A journal that is kept in memory, and can be one that was cut short.

#include <gtest/gtest.h>

#include <vector>

#include "runtime/engine/journal.h"

namespace lingua::testing {

class MemoryJournal : public Journal {
 public:
  const RequestHistory& history() const override { return history_; }
  void append(const std::vector<JournalEntry>& entries) override {
    for (const JournalEntry& entry : entries) {
      EXPECT_EQ(history_.take(entry), "");
      entries_.push_back(entry);
    }
  }
  const std::vector<JournalEntry>& entries() const { return entries_; }

 private:
  RequestHistory history_;
  std::vector<JournalEntry> entries_;
};

}  // namespace lingua::testing
