#include "launcher/task_journal.hpp"

#include "actors/cluster/inventory.hpp"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

namespace troupe::launcher {

namespace {

constexpr size_t past_max = 1 << 20; // bytes of the past before the file is written anew

struct record_head {
  uint32_t size;
  int32_t process;
};

std::string record_of(const start_task_msg& order, int process) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(start_task::Pack(builder, &order));
  record_head head{builder.GetSize(), process};
  std::string out(reinterpret_cast<const char*>(&head), sizeof head);
  return out.append(reinterpret_cast<const char*>(builder.GetBufferPointer()), head.size);
}

struct record {
  start_task_msg order;
  int process;
  size_t size;
};

// The record at the beginning of `from`; nothing where it is damaged.
std::optional<record> first_of(std::string_view from) {
  record_head head;
  if (from.size() < sizeof head)
    return std::nullopt;
  std::memcpy(&head, from.data(), sizeof head);
  if (head.size == 0 || from.size() - sizeof head < head.size)
    return std::nullopt;
  std::vector<uint8_t> aligned(head.size);
  std::memcpy(aligned.data(), from.data() + sizeof head, head.size);
  if (!flatbuffers::Verifier{aligned.data(), aligned.size()}.VerifyBuffer<start_task>(nullptr))
    return std::nullopt;
  record out;
  flatbuffers::GetRoot<start_task>(aligned.data())->UnPackTo(&out.order);
  out.process = head.process;
  out.size = sizeof head + head.size;
  return out;
}

} // namespace

task_journal::task_journal(std::string path) : path_(std::move(path)) {
  std::ifstream in{path_, std::ios::binary};
  std::string bytes{std::istreambuf_iterator<char>{in}, {}};
  std::string_view rest = bytes;
  while (auto next = first_of(rest)) {
    keep(*next->order.task, next->process, rest.substr(0, next->size));
    rest.remove_prefix(next->size);
  }
}

void task_journal::keep(const task_id_msg& task, int process, std::string_view record) {
  if (process == 0)
    live_.erase(task_key(task));
  else
    live_.insert_or_assign(task_key(task), std::string{record});
}

std::vector<std::pair<start_task_msg, int>> task_journal::tasks() const {
  std::vector<std::pair<start_task_msg, int>> out;
  for (auto& [task, bytes] : live_)
    if (auto known = first_of(bytes))
      out.emplace_back(std::move(known->order), known->process);
  return out;
}

result<void> task_journal::started(const start_task_msg& order, int process) {
  auto record = record_of(order, process);
  keep(*order.task, process, record);
  return write(record);
}

void task_journal::forgotten(const task_id_msg& task) {
  start_task_msg order;
  order.task = std::make_unique<task_id_msg>(task);
  keep(task, 0, {});
  // If it cannot be written: who reads it finds that the process is gone.
  [[maybe_unused]] auto written = write(record_of(order, 0));
}

result<void> task_journal::write(const std::string& record) {
  if (!file_ || past_ > past_max)
    return write_anew();
  past_ += record.size();
  auto done = ::write(file_.get(), record.data(), record.size());
  if (done == static_cast<ssize_t>(record.size()))
    return {};
  file_.close(); // it may end with half a record
  return {errc::io, "cannot write " + path_ + ": " + std::strerror(done < 0 ? errno : ENOSPC)
                      + "; free some space there"};
}

result<void> task_journal::write_anew() {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path{path_}.parent_path(), ignored);
  auto next = path_ + ".new";
  file_ = owned_fd{::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)};
  past_ = 0;
  std::string all;
  for (auto& [task, bytes] : live_)
    all += bytes;
  auto written = file_
                 && ::write(file_.get(), all.data(), all.size()) == static_cast<ssize_t>(all.size())
                 && std::rename(next.c_str(), path_.c_str()) == 0;
  if (written)
    return {};
  error why{errc::io, "cannot write " + path_ + ": " + std::strerror(errno)
                        + "; free some space there, or mend its permissions"};
  file_.close();
  return why;
}

} // namespace troupe::launcher
