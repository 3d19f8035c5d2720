// What the coordinator does with what a journal knows.

#include "runtime/engine/coordinator.h"

namespace lingua {

// One that came just now goes on with the tokens that it had, which its client gets at once.
void Coordinator::take_up(RequestId request, Seconds now, Effects& effects) {
  const RequestTable::Entry& entry = *table_.find(request);
  if (job_.journal == nullptr || entry.submit.max_tokens < 1) return;
  const RequestName name(entry.client, entry.own);
  const RequestContent content = content_of(entry.submit);
  const RequestHistory::Request* known = job_.journal->history().find(name);
  if (known == nullptr) {
    effects.entries.push_back(RequestBegun{name, content});
    return;
  }
  std::string wrong = difference(known->content, content);
  std::vector<TokenMade> made;
  if (wrong.empty()) checks_.submitted(entry.submit);
  for (const TokenId token : known->tokens) {
    if (!wrong.empty()) break;
    const auto index = static_cast<std::int64_t>(made.size());
    wrong = checks_.take(TokenMade{request, index, token});
    made.push_back({entry.own, index, token});
  }
  if (!wrong.empty()) {
    checks_.refused(request);
    effects.send(entry.client, Refused{entry.own, "the journal, where " + wrong});
    table_.end(request);
    return;
  }
  for (const TokenMade& token : made) effects.send(entry.client, token);
  table_.take_up(request, static_cast<std::int64_t>(made.size()), now);
  if (known->ending == Ending::kCancelled) checks_.cancelled(request);
  finish_if_complete(request, effects);
}

void Coordinator::note_end(const RequestTable::Entry& entry, Ending ending,
                           Effects& effects) const {
  if (job_.journal == nullptr || ending != Ending::kCancelled) return;
  const RequestName name(entry.client, entry.own);
  const RequestHistory::Request* known = job_.journal->history().find(name);
  if (known != nullptr && !known->ending) effects.entries.push_back(RequestCancelled{name});
}

}  // namespace lingua
