// The tables of lineage_write by hand in SQLite, as somebody would who needs no more than these:
// WAL, synchronous=FULL, prepared statements, a connection for each writer.
//
//   lineage_sqlite write DIRECTORY SECONDS WRITERS   prints publishes a second
//   lineage_sqlite version
#include "tests/bench/lineage_shape.hpp"

#include <sqlite3.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

namespace {

using steady = std::chrono::steady_clock;

constexpr const char* tables = R"(
create table if not exists artifact(id integer primary key, type integer, name text, uri text,
  state integer, created integer, updated integer);
create unique index if not exists artifact_name on artifact(type, name);
create index if not exists artifact_uri on artifact(uri);
create index if not exists artifact_updated on artifact(updated);
create table if not exists execution(id integer primary key, type integer, name text, state integer,
  created integer, updated integer);
create unique index if not exists execution_name on execution(type, name);
create index if not exists execution_updated on execution(updated);
create table if not exists artifact_property(artifact integer, name text, i integer, s text,
  primary key(artifact, name));
create index if not exists artifact_property_value on artifact_property(name, i);
create table if not exists execution_property(execution integer, name text, i integer, s text,
  primary key(execution, name));
create index if not exists execution_property_value on execution_property(name, s);
create table if not exists event(id integer primary key, artifact integer, execution integer,
  type integer, time integer);
create unique index if not exists event_ends on event(artifact, execution, type);
create index if not exists event_execution on event(execution);
create table if not exists event_path(event integer, step integer);
create index if not exists event_path_event on event_path(event);
)";

void demand(bool good, sqlite3* database) {
  if (good)
    return;
  std::fprintf(stderr, "lineage_sqlite: %s\n", sqlite3_errmsg(database));
  std::exit(1);
}

class connection {
public:
  explicit connection(const std::string& file) {
    demand(sqlite3_open(file.c_str(), &database_) == SQLITE_OK, database_);
    sqlite3_busy_timeout(database_, 60'000);
    run("pragma journal_mode=WAL");
    run("pragma synchronous=FULL");
  }
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  ~connection() {
    for (auto* each : statements_)
      sqlite3_finalize(each);
    sqlite3_close(database_);
  }

  void run(const char* text) {
    demand(sqlite3_exec(database_, text, nullptr, nullptr, nullptr) == SQLITE_OK, database_);
  }

  sqlite3_stmt* prepare(const char* text) {
    sqlite3_stmt* out = nullptr;
    demand(sqlite3_prepare_v2(database_, text, -1, &out, nullptr) == SQLITE_OK, database_);
    statements_.push_back(out);
    return out;
  }

  // Binds numbers and texts in their order, and steps to the end.
  template <class... Values>
  int64_t step(sqlite3_stmt* what, const Values&... values) {
    int at = 0;
    (bind(what, ++at, values), ...);
    int state = SQLITE_ROW;
    while (state == SQLITE_ROW)
      state = sqlite3_step(what);
    demand(state == SQLITE_DONE, database_);
    sqlite3_reset(what);
    return sqlite3_last_insert_rowid(database_);
  }

private:
  void bind(sqlite3_stmt* what, int at, const std::string& text) {
    demand(sqlite3_bind_text(what, at, text.c_str(), -1, SQLITE_TRANSIENT) == SQLITE_OK, database_);
  }
  void bind(sqlite3_stmt* what, int at, int64_t number) {
    demand(sqlite3_bind_int64(what, at, number) == SQLITE_OK, database_);
  }

  sqlite3* database_ = nullptr;
  std::vector<sqlite3_stmt*> statements_;
};

int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           std::chrono::system_clock::now().time_since_epoch())
    .count();
}

class writer {
public:
  explicit writer(const std::string& file) : to_(file) {}

  void publish(int64_t i) {
    to_.step(begin_);
    auto time = now_ms();
    auto text = std::string("r").append(std::to_string(i));
    auto execution = to_.step(execution_, time, time);
    to_.step(execution_property_, execution, text);
    for (int64_t j = 0; j < int64_t{troupe::bench::inputs_of_each}; ++j) {
      auto artifact = 1 + j % int64_t{troupe::bench::outputs_of_each};
      to_.step(find_, artifact);
      auto type = j < int64_t{troupe::bench::outputs_of_each} ? 3 : 2;
      to_.step(path_, to_.step(event_, artifact, execution, int64_t{type}, time), j);
    }
    for (int64_t k = 0; k < int64_t{troupe::bench::outputs_of_each}; ++k) {
      auto n = int64_t{troupe::bench::outputs_of_each} * (i + 1) + k;
      auto artifact = to_.step(artifact_, "/d/" + std::to_string(n), time, time);
      to_.step(artifact_property_, artifact, n);
      to_.step(path_, to_.step(event_, artifact, execution, int64_t{4}, time), k);
    }
    to_.step(commit_);
  }

private:
  connection to_;
  sqlite3_stmt* begin_ = to_.prepare("begin immediate");
  sqlite3_stmt* commit_ = to_.prepare("commit");
  sqlite3_stmt* find_ = to_.prepare("select type from artifact where id = ?");
  sqlite3_stmt* artifact_ = to_.prepare("insert into artifact values(null, 1, null, ?, 2, ?, ?)");
  sqlite3_stmt* execution_ = to_.prepare("insert into execution values(null, 2, null, 3, ?, ?)");
  sqlite3_stmt* artifact_property_
    = to_.prepare("insert into artifact_property values(?, 'n', ?, null)");
  sqlite3_stmt* execution_property_
    = to_.prepare("insert into execution_property values(?, 'x', null, ?)");
  sqlite3_stmt* event_ = to_.prepare("insert into event values(null, ?, ?, ?, ?)");
  sqlite3_stmt* path_ = to_.prepare("insert into event_path values(?, ?)");
};

void write(const std::string& directory, double seconds, int writers) {
  auto file = directory + "/lineage.sqlite";
  {
    connection first(file);
    first.run(tables);
    first.run(
      "insert into artifact values(1, 1, null, '/d/0', 2, 1, 1), (2, 1, null, '/d/1', 2, 1, 1)");
  }
  std::atomic<int64_t> next = 0;
  std::atomic<int64_t> done = 0;
  auto begin = steady::now();
  auto elapsed = [&] { return std::chrono::duration<double>(steady::now() - begin).count(); };
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w)
    threads.emplace_back([&] {
      writer mine(file);
      while (elapsed() < seconds) {
        mine.publish(next++);
        ++done;
      }
    });
  for (auto& each : threads)
    each.join();
  std::printf("%.6g\n", static_cast<double>(done) / elapsed());
}

} // namespace

int main(int count, char** words) {
  std::string what = count > 1 ? words[1] : "";
  if (what == "version")
    std::puts(sqlite3_libversion());
  else if (what == "write" && count == 5)
    write(words[2], std::stod(words[3]), std::stoi(words[4]));
  else
    return 2;
}
