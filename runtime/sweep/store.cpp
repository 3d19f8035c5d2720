#include "runtime/sweep/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <ctime>
#include <fstream>
#include <map>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/files.h"
#include "runtime/base/plain_text.h"
#include "runtime/sweep/file_lock.h"

namespace lingua {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSchema = "1";
constexpr int kPatienceMs = 5000;  // with a reader that holds the file
constexpr const char* kMetaTable = "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)";
constexpr const char* kPointsTable =
    "CREATE TABLE points (id TEXT PRIMARY KEY, number INTEGER NOT NULL, settings TEXT NOT NULL, "
    "axes TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('done', 'failed')), reason TEXT, "
    "results TEXT, seconds REAL NOT NULL, version TEXT NOT NULL, seed INTEGER, "
    "finished TEXT NOT NULL)";
constexpr const char* kPointsIndex = "CREATE UNIQUE INDEX points_by_number ON points (number)";
constexpr const char* kColumns =
    "id, number, settings, axes, state, reason, results, seconds, version, seed, finished";

// What SQLite has thrown, as one of ours.
[[noreturn]] void rethrow(const fs::path& file, const SQLite::Exception& error) {
  const std::string name = file.string();
  switch (error.getErrorCode()) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
      throw WorldError(fmt::format(
          "{}: cannot be written or read whole ({}); the points that it has are safe: make room, "
          "and start the sweep again",
          name, error.what()));
    case SQLITE_NOTADB:
      throw InputError(fmt::format(
          "{}: is no database; name one of a sweep, or a file that is not there yet", name));
    case SQLITE_CORRUPT:
      throw InputError(fmt::format(
          "{}: is damaged ({}); sqlite3's .recover may save its rows, or name another file", name,
          error.what()));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw WorldError(fmt::format("{}: another program holds it ({})", name, error.what()));
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      throw InputError(fmt::format("{}: cannot be opened as a database ({})", name, error.what()));
    default: throw WorldError(fmt::format("{}: {}", name, error.what()));
  }
}

SweepRow row_of(SQLite::Statement& at) {
  SweepRow row;
  row.id = at.getColumn(0).getString();
  row.number = at.getColumn(1).getInt64();
  row.settings = at.getColumn(2).getString();
  row.axes = at.getColumn(3).getString();
  row.done = at.getColumn(4).getString() == "done";
  row.reason = at.getColumn(5).getString();
  row.results = at.getColumn(6).getString();
  row.seconds = at.getColumn(7).getDouble();
  row.version = at.getColumn(8).getString();
  if (!at.getColumn(9).isNull()) row.seed = at.getColumn(9).getInt64();
  row.finished = at.getColumn(10).getString();
  return row;
}

void bind_text(SQLite::Statement& at, int index, const std::string& text) {
  text.empty() ? at.bind(index) : at.bindNoCopy(index, text);
}

}  // namespace

class SweepStore::Impl {
 public:
  enum class Use { kRead, kAdd };

  template <typename F>
  auto guarded(const F& act) const {
    try {
      return act();
    } catch (const SQLite::Exception& error) {
      rethrow(file_, error);
    }
  }

  Impl(fs::path file, Use use) : file_(std::move(file)), use_(use) {
    if (use == Use::kAdd) lock_.emplace(file_);
    check_beginning();
    guarded([&] {
      const int flags =
          use == Use::kAdd ? SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE : SQLite::OPEN_READWRITE;
      // Absolute, for SQLite has names that are no files (":memory:").
      database_.emplace(fs::absolute(file_).string(), flags, kPatienceMs);
      database_->exec("PRAGMA trusted_schema = OFF");
      database_->exec("PRAGMA cell_size_check = ON");
      if (use == Use::kRead) database_->exec("PRAGMA query_only = ON");
    });
  }

  ~Impl() {
    if (use_ != Use::kAdd || !database_) return;
    for (auto* statement : {&insert_, &head_, &number_}) statement->reset();
    // One file, and no others beside it. Where a reader has it open it stays as it is.
    database_->tryExec("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE");
  }

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  bool is_empty() {
    return guarded(
        [&] { return database_->execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0; });
  }

  void make(const SweepFacts& facts) {
    facts_ = facts;
    guarded([&] {
      SQLite::Transaction whole(*database_);
      for (const char* statement : {kMetaTable, kPointsTable, kPointsIndex})
        database_->exec(statement);
      const std::map<std::string, std::string> meta = {
          {"schema", kSchema},        {"name", facts.name},
          {"spec", facts.spec},       {"spec_digest", facts.spec_digest},
          {"version", facts.version}, {"created", utc_now()}};
      SQLite::Statement insert(*database_, "INSERT INTO meta VALUES (?, ?)");
      for (const auto& [key, value] : meta) {
        insert.bind(1, key);
        insert.bind(2, value);
        insert.exec();
        insert.reset();
      }
      whole.commit();
    });
  }

  void load() {
    guarded([&] {
      check_schema();
      SQLite::Statement meta(*database_, "SELECT key, value FROM meta");
      std::map<std::string, std::string> all;
      while (meta.executeStep()) all[meta.getColumn(0).getString()] = meta.getColumn(1).getString();
      if (all["schema"] != kSchema) {
        throw InputError(fmt::format("{}: has schema '{}'; this program has schema {}",
                                     file_.string(), one_line(all["schema"], 40), kSchema));
      }
      facts_ = {all["name"], all["spec"], all["spec_digest"], all["version"]};
    });
  }

  void check(const SweepFacts& facts, bool allow_other_version) {
    if (facts_.spec_digest != facts.spec_digest) {
      throw InputError(fmt::format(
          "{}: is of another sweep ('{}', or other settings, axes, exclude or keep); name another "
          "database, or the specification that it was made from",
          file_.string(), one_line(facts_.name, 64)));
    }
    if (facts_.version != facts.version && !allow_other_version) {
      throw InputError(fmt::format(
          "{}: was made by version {}, this is {}; name another database, or allow another "
          "version (its rows will say which)",
          file_.string(), one_line(facts_.version, 64), facts.version));
    }
    guarded([&] {
      const std::string whole = database_->execAndGet("PRAGMA quick_check(1)").getString();
      if (whole != "ok") {
        throw InputError(fmt::format(
            "{}: is damaged ({}); sqlite3's .recover may save its rows, or name another file",
            file_.string(), one_line(whole, 120)));
      }
    });
  }

  void prepare_to_add() {
    guarded([&] {
      database_->execAndGet("PRAGMA journal_mode = WAL");
      database_->exec("PRAGMA synchronous = NORMAL");
      insert_.emplace(*database_, fmt::format("INSERT OR REPLACE INTO points ({}) VALUES "
                                              "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                              kColumns));
    });
  }

  void add(const SweepRow& row) {
    LINGUA_CHECK(insert_.has_value(), "opened to read");
    guarded([&] {
      SQLite::Statement& at = *insert_;
      at.tryReset();
      at.clearBindings();
      at.bindNoCopy(1, row.id);
      at.bind(2, row.number);
      at.bindNoCopy(3, row.settings);
      at.bindNoCopy(4, row.axes);
      at.bind(5, row.done ? "done" : "failed");
      bind_text(at, 6, row.reason);
      bind_text(at, 7, row.results);
      at.bind(8, row.seconds);
      at.bindNoCopy(9, row.version);
      if (row.seed) at.bind(10, *row.seed);
      at.bindNoCopy(11, row.finished);
      at.exec();
      at.reset();
    });
  }

  std::optional<Head> head_of(std::uint64_t number) const {
    return guarded([&]() -> std::optional<Head> {
      if (!head_) head_.emplace(*database_, "SELECT id, state FROM points WHERE number = ?");
      head_->tryReset();
      head_->bind(1, static_cast<std::int64_t>(number));
      std::optional<Head> head;
      if (head_->executeStep())
        head = {head_->getColumn(0).getString(), head_->getColumn(1).getString() == "done"};
      head_->tryReset();
      return head;
    });
  }

  void check_new(const std::string& id, std::int64_t number) const {
    guarded([&] {
      if (!number_) number_.emplace(*database_, "SELECT number FROM points WHERE id = ?");
      number_->tryReset();
      number_->bind(1, id);
      const bool is_known = number_->executeStep();
      const std::int64_t there = is_known ? number_->getColumn(0).getInt64() : number;
      number_->tryReset();
      if (there == number) return;
      throw InputError(fmt::format(
          "{}: points {} and {} are the same, by what their settings resolve to; write one of them",
          file_.string(), there, number));
    });
  }

  void add_together(const std::function<void()>& act) {
    guarded([&] {
      SQLite::Transaction all(*database_);
      act();
      all.commit();
    });
  }

  SweepCounts counts() const {
    return guarded([&] {
      SQLite::Statement at(*database_,
                           "SELECT state, count(*), total(seconds) FROM points GROUP BY state");
      SweepCounts counts;
      while (at.executeStep()) {
        const bool done = at.getColumn(0).getString() == "done";
        (done ? counts.done : counts.failed) =
            static_cast<std::uint64_t>(at.getColumn(1).getInt64());
        counts.seconds += at.getColumn(2).getDouble();
      }
      return counts;
    });
  }

  void for_each(const std::string& where, const std::function<void(SQLite::Statement&)>& bind,
                const std::function<void(const SweepRow&)>& see) const {
    guarded([&] {
      SQLite::Statement at(*database_, fmt::format("SELECT {} FROM points {}", kColumns, where));
      bind(at);
      while (at.executeStep()) see(row_of(at));
    });
  }

  const SweepFacts& facts() const { return facts_; }

  void leave() {
    if (lock_) lock_->leave();
  }

 private:
  // SQLite takes what is shorter than its own beginning for nothing, and writes over it.
  void check_beginning() const {
    constexpr std::string_view kBeginning{"SQLite format 3\0", 16};
    std::error_code error;
    if (!fs::exists(file_, error)) {
      if (use_ == Use::kAdd) return;
      throw InputError(fmt::format("{}: is not there; name a sweep's database", file_.string()));
    }
    if (!fs::is_regular_file(file_, error)) refuse_file();
    std::string bytes(kBeginning.size(), '\0');
    std::ifstream in(file_, std::ios::binary);
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (in.gcount() > 0 && (in.gcount() < 16 || bytes != kBeginning)) refuse_file();
  }

  [[noreturn]] void refuse_file() const {
    throw InputError(
        fmt::format("{}: is no database; name one of a sweep, or a file that is not there yet",
                    file_.string()));
  }

  // Nothing but what make() makes: no trigger, no view.
  void check_schema() {
    SQLite::Statement at(*database_, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL");
    std::map<std::string, int> left = {{kMetaTable, 1}, {kPointsTable, 1}, {kPointsIndex, 1}};
    bool known = true;
    while (at.executeStep()) {
      const auto found = left.find(at.getColumn(0).getString());
      known = known && found != left.end();
      if (found != left.end()) left.erase(found);
    }
    if (known && left.empty()) return;
    throw InputError(
        fmt::format("{}: is a database, but none of a sweep (schema {}); name another file",
                    file_.string(), kSchema));
  }

  const fs::path file_;
  const Use use_;
  std::optional<FileLock> lock_;
  std::optional<SQLite::Database> database_;
  std::optional<SQLite::Statement> insert_;
  mutable std::optional<SQLite::Statement> head_;
  mutable std::optional<SQLite::Statement> number_;
  SweepFacts facts_;
};

SweepStore::SweepStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SweepStore::SweepStore(SweepStore&&) noexcept = default;
SweepStore& SweepStore::operator=(SweepStore&&) noexcept = default;
SweepStore::~SweepStore() = default;

SweepStore SweepStore::open(const fs::path& file, const SweepFacts& facts,
                            bool allow_other_version) {
  auto impl = std::make_unique<Impl>(file, Impl::Use::kAdd);
  if (impl->is_empty()) {
    impl->make(facts);
  } else {
    impl->load();
    impl->check(facts, allow_other_version);
  }
  impl->prepare_to_add();
  return SweepStore(std::move(impl));
}

SweepStore SweepStore::create(const fs::path& file, const SweepFacts& facts) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)))
    throw InputError(fmt::format("{}: is there already; name a new file", file.string()));
  return open(file, facts, false);
}

SweepStore SweepStore::read(const fs::path& file) {
  auto impl = std::make_unique<Impl>(file, Impl::Use::kRead);
  impl->load();
  return SweepStore(std::move(impl));
}

const SweepFacts& SweepStore::facts() const { return impl_->facts(); }
SweepCounts SweepStore::counts() const { return impl_->counts(); }
std::optional<SweepStore::Head> SweepStore::head_of(std::uint64_t number) const {
  return impl_->head_of(number);
}
void SweepStore::add(const SweepRow& row) { impl_->add(row); }
void SweepStore::check_new(const std::string& id, std::int64_t number) const {
  impl_->check_new(id, number);
}
void SweepStore::add_together(const std::function<void()>& act) { impl_->add_together(act); }
void SweepStore::leave() { impl_->leave(); }

void SweepStore::for_each(const std::function<void(const SweepRow&)>& see) const {
  impl_->for_each(
      "ORDER BY number", [](SQLite::Statement&) {}, see);
}

std::vector<SweepRow> SweepStore::rows_of(const std::string& id_prefix, int most) const {
  std::vector<SweepRow> rows;
  impl_->for_each(
      "WHERE substr(id, 1, length(?1)) = ?1 ORDER BY number LIMIT ?2",
      [&](SQLite::Statement& at) {
        at.bind(1, id_prefix);
        at.bind(2, most);
      },
      [&](const SweepRow& row) { rows.push_back(row); });
  return rows;
}

bool SweepRow::same_as(const SweepRow& other) const {
  return id == other.id && number == other.number && settings == other.settings &&
         axes == other.axes && done == other.done && reason == other.reason &&
         results == other.results && version == other.version && seed == other.seed;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

std::string content_digest(const SweepStore& store) {
  std::string digest = checksum128(store.facts().spec_digest);
  store.for_each([&](const SweepRow& row) {
    std::string all = digest;
    for (const std::string& field :
         {row.id, std::to_string(row.number), row.settings, row.axes,
          std::string(row.done ? "done" : "failed"), row.reason, row.results, row.version,
          row.seed ? std::to_string(*row.seed) : std::string("none")})
      all += fmt::format("\n{} {}", field.size(), field);
    digest = checksum128(all);
  });
  return digest;
}

}  // namespace lingua
