#include "actors/cluster/task_log.hpp"

#include "runtime/base/regular_file.hpp"

#include <unistd.h>

#include <algorithm>

namespace troupe {

namespace {

constexpr size_t chunk_size = 64 << 10;

} // namespace

result<log_chunk_msg> read_task_log(const std::string& jobs_directory, const read_log_msg& x) {
  if (x.type.empty() || x.type.find('/') != std::string::npos || x.type[0] == '.')
    return {errc::invalid, "'" + x.type + "' is no task type"};
  auto path = jobs_directory + "/" + std::to_string(x.job) + "/" + std::to_string(x.attempt) + "/"
              + x.type + "-" + std::to_string(x.index)
              + (x.file == task_file::metrics ? ".metrics" : ".log");
  log_chunk_msg chunk;
  chunk.attempt = x.attempt;
  chunk.offset = x.offset;
  auto file = open_regular_file(path, O_RDONLY); // the task may write in its directory
  struct stat now {};
  if (!file || ::fstat(file.get(), &now) != 0)
    return chunk; // nothing was printed yet
  chunk.size = static_cast<uint64_t>(now.st_size);
  chunk.text.resize(chunk_size);
  auto offset = static_cast<off_t>(std::min<uint64_t>(x.offset, chunk.size));
  auto got = ::pread(file.get(), chunk.text.data(), chunk_size, offset);
  chunk.text.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  chunk.end = chunk.text.size() < chunk_size;
  return chunk;
}

} // namespace troupe
