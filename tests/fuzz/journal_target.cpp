#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/journal/records.h"
#include "tests/fuzz/target.h"

namespace lingua::testing {
namespace {

// A record of these contents, under a length and a checksum that are right.
std::string framed(const std::string& contents) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(contents.size() >> (8 * i) & 0xff);
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(checksum(contents) >> (8 * i) & 0xff);
  return bytes + contents;
}

// What decodes must encode to the same again.
void run(const std::string& bytes) {
  if (!bytes.empty()) decode_record(bytes);
  const std::string record = framed(bytes);
  const DecodedRecord decoded = decode_record(record + "more");
  if (decoded.kind != DecodedRecord::Kind::kWhole) throw InputError("no record");
  LINGUA_CHECK(decoded.bytes == record.size() && encode(decoded.record) == record);
  RequestHistory history;
  if (const auto* entry = std::get_if<JournalEntry>(&decoded.record)) history.take(*entry);
}

std::vector<std::string> samples() {
  RequestContent content;
  content.inputs = digest_of("a prompt");
  content.max_tokens = 5;
  content.stop_tokens = {1, 2};
  const RequestName name("client:1", 3);
  std::vector<std::string> contents;
  for (const JournalRecord& record : std::vector<JournalRecord>{
           JournalFacts{{"the model", "toy"}, {"", ""}}, JournalEntry(RequestBegun{name, content}),
           JournalEntry(TokenNoted{name, 7, 8}), JournalEntry(RequestCancelled{name})})
    contents.push_back(encode(record).substr(framed("").size()));
  return contents;
}

}  // namespace

FuzzTarget journal_target() { return {"journal", run, samples}; }

}  // namespace lingua::testing
