#pragma once
// What a role gives back for a message or the passing of time: nothing that it does itself.
//
// Roles (weight loader, stage runner, header, tailer, request table, deployer, coordinator, client) hold
// no Device and block on nothing; a loop hands them messages and carries out what they ask for.
// Order: messages to one receiver are sent in this order.

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/device/message.h"
#include "runtime/engine/journal.h"
#include "runtime/schedule/schedule.h"

namespace lingua {

// The epoch that a message is of; nothing for one that is of none.
inline std::optional<Epoch> epoch_of(const MessageBody& body) {
  return std::visit(
      [](const auto& m) -> std::optional<Epoch> {
        if constexpr (requires { m.epoch; }) return m.epoch;
        return std::nullopt;
      },
      body);
}

struct Letter {
  DeviceName to;
  MessageBody body;
};

struct Effects {
  std::vector<JournalEntry> entries;  // to write down before anything is sent
  std::vector<Letter> letters;        // to send
  std::vector<EventRow> rows;         // for the event log
  std::vector<ReadyStep> ready;       // steps that can run now

  void send(const DeviceName& to, MessageBody body) { letters.push_back({to, std::move(body)}); }
};

}  // namespace lingua
