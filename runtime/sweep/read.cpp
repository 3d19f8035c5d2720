#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "runtime/base/errors.h"
#include "runtime/base/plain_text.h"
#include "runtime/sweep/pool.h"
#include "runtime/sweep/results.h"
#include "runtime/sweep/sweep.h"

namespace lingua {
namespace {

using nlohmann::json;

constexpr std::size_t kMostReasons = 1000;
constexpr std::size_t kReasonsShown = 5;
constexpr std::size_t kMostColumns = 10'000;
constexpr std::size_t kLongestReason = 200;

json parsed(const std::string& text, const SweepRow& row) {
  json value = json::parse(text.empty() ? "{}" : text, nullptr, false);
  if (!value.is_object())
    throw InputError(fmt::format("the row of point {} ({}) is damaged: '{}' is no JSON of a sweep",
                                 row.number, one_line(row.id, 40), one_line(text, 60)));
  return value;
}

std::string csv_cell(const json& value) {
  if (value.is_null()) return "";
  const std::string text = value.is_string()
                               ? value.get<std::string>()
                               : value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.find_first_of(",\"\r\n") == text.npos) return text;
  std::string quoted;
  for (const char c : text) quoted += std::string(c == '"' ? 2 : 1, c);
  return fmt::format("\"{}\"", quoted);
}

// The names of settings and results that any row has.
struct Columns {
  std::set<std::string> axes;
  std::set<std::string> results;
};

Columns columns_of(const SweepStore& store) {
  Columns columns;
  store.for_each([&](const SweepRow& row) {
    const json axes = parsed(row.axes, row);
    const json results = parsed(row.results, row);
    for (const auto& [name, value] : axes.items()) columns.axes.insert(name);
    for (const auto& [name, value] : results.items()) columns.results.insert(name);
    if (columns.axes.size() + columns.results.size() > kMostColumns)
      throw InputError(
          fmt::format("more than {} results have a name of their own: too many columns "
                      "for CSV; write JSON lines, or keep fewer",
                      kMostColumns));
  });
  return columns;
}

class CsvExport {
 public:
  CsvExport(const SweepStore& store, std::ostream& out) : columns_(columns_of(store)), out_(out) {
    out_ << "id";
    for (const std::string& name : columns_.axes)
      out_ << ',' << csv_cell(is_own(name) ? "axis." + name : name);
    out_ << ",state,reason";
    for (const std::string& name : columns_.results) {
      const bool taken = is_own(name) || columns_.axes.count(name) > 0;
      out_ << ',' << csv_cell(taken ? "result." + name : name);
    }
    out_ << '\n';
  }

  void take(const SweepRow& row) {
    out_ << csv_cell(row.id);
    cells(columns_.axes, parsed(row.axes, row));
    out_ << (row.done ? ",done," : ",failed,") << csv_cell(row.reason);
    cells(columns_.results, parsed(row.results, row));
    out_ << '\n';
  }

 private:
  static bool is_own(const std::string& name) {
    return name == "id" || name == "state" || name == "reason";
  }
  void cells(const std::set<std::string>& names, const json& values) {
    for (const std::string& name : names) {
      const auto found = values.find(name);
      out_ << ',' << (found == values.end() ? std::string() : csv_cell(*found));
    }
  }

  const Columns columns_;
  std::ostream& out_;
};

void write_json_line(const SweepRow& row, std::ostream& out) {
  nlohmann::ordered_json line;
  line["id"] = row.id;
  line["number"] = row.number;
  line["axes"] = parsed(row.axes, row);
  line["state"] = row.done ? "done" : "failed";
  if (!row.done) line["reason"] = row.reason;
  line["results"] = parsed(row.results, row);
  line["seconds"] = row.seconds;
  line["version"] = row.version;
  if (row.seed) line["seed"] = *row.seed;
  line["finished"] = row.finished;
  out << line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

// No id of the least length that is told apart is one.
bool is_number(const std::string& text) {
  constexpr std::size_t kMostDigits = 8;  // of kMostSweepPoints
  return !text.empty() && text.size() <= kMostDigits &&
         text.find_first_not_of("0123456789") == std::string::npos;
}

}  // namespace

SweepStatus status_of_sweep(const std::filesystem::path& database, const SweepShard& shard,
                            int workers) {
  const SweepStore store = SweepStore::read(database);
  const SweepPoints points(parse_sweep(store.facts().spec, database.string()));
  const SweepCounts counts = store.counts();
  SweepStatus status;
  status.name = store.facts().name;
  status.version = store.facts().version;
  status.points = points.count(shard);
  status.done = counts.done;
  status.failed = counts.failed;
  const std::uint64_t ended = counts.done + counts.failed;
  status.left = status.points - std::min(status.points, ended);
  status.seconds = counts.seconds;
  if (ended > 0)
    status.estimate_s = counts.seconds / static_cast<double>(ended) *
                        static_cast<double>(status.left) / worker_count(workers);
  std::map<std::string, std::uint64_t> reasons;
  if (counts.failed > 0) {
    store.for_each([&](const SweepRow& row) {
      if (row.done) return;
      const std::string reason = one_line(row.reason, kLongestReason);
      if (reasons.size() < kMostReasons || reasons.count(reason) > 0) ++reasons[reason];
    });
  }
  status.reasons.assign(reasons.begin(), reasons.end());
  std::stable_sort(status.reasons.begin(), status.reasons.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  if (status.reasons.size() > kReasonsShown) status.reasons.resize(kReasonsShown);
  return status;
}

std::uint64_t export_sweep(const std::filesystem::path& database, SweepFormat format,
                           std::ostream& out) {
  const SweepStore store = SweepStore::read(database);
  std::optional<CsvExport> csv;
  if (format == SweepFormat::kCsv) csv.emplace(store, out);
  std::uint64_t rows = 0;
  store.for_each([&](const SweepRow& row) {
    csv ? csv->take(row) : write_json_line(row, out);
    ++rows;
  });
  return rows;
}

SweepRow find_in_sweep(const std::filesystem::path& database, const std::string& which) {
  const SweepStore store = SweepStore::read(database);
  std::string id = which;
  if (is_number(which)) {
    const auto head = store.head_of(std::stoull(which));
    if (!head)
      throw UsageError(
          fmt::format("{}: no point of number {} has ended", database.string(), which));
    id = head->id;
  }
  const std::vector<SweepRow> rows = store.rows_of(id, 2);
  if (rows.size() == 1) return rows[0];
  throw UsageError(fmt::format(
      "'{}' is {} in {}; write a point's number, or as many digits of its id as tell it apart",
      one_line(which, 40), rows.empty() ? "no point's id" : "the beginning of several ids",
      database.string()));
}

SweepTask task_of(const SweepRow& row) {
  const json configuration = parsed(row.settings, row);
  const auto part = [&](const char* name) {
    const auto found = configuration.find(name);
    if (found != configuration.end()) return *found;
    throw InputError(fmt::format("the row of point {} ({}) is damaged: it has no '{}'", row.number,
                                 one_line(row.id, 40), name));
  };
  const json what = part("what");
  const json settings = part("settings");
  if (!what.is_string() || !settings.is_object())
    throw InputError(fmt::format(
        "the row of point {} ({}) is damaged: what it is of is no text, or its settings no object",
        row.number, one_line(row.id, 40)));
  return {what, settings, part("resolved")};
}

json results_as_kept(const std::filesystem::path& database, const json& result) {
  const SweepStore store = SweepStore::read(database);
  return kept_results(result, parse_sweep(store.facts().spec, database.string()).keep);
}

std::string digest_of_sweep(const std::filesystem::path& database) {
  return content_digest(SweepStore::read(database));
}

}  // namespace lingua
