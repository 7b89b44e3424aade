#include "actors/cluster/task_log.hpp"

#include <algorithm>
#include <fstream>

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
  std::ifstream in{path, std::ios::binary};
  if (!in)
    return chunk; // nothing was printed yet
  in.seekg(0, std::ios::end);
  chunk.size = static_cast<uint64_t>(std::max<std::streamoff>(in.tellg(), 0));
  in.seekg(static_cast<std::streamoff>(x.offset));
  chunk.text.resize(chunk_size);
  in.read(chunk.text.data(), static_cast<std::streamsize>(chunk_size));
  chunk.text.resize(static_cast<size_t>(std::max<std::streamsize>(in.gcount(), 0)));
  chunk.end = chunk.text.size() < chunk_size;
  return chunk;
}

} // namespace troupe
