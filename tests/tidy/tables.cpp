#include "tests/tidy/tables.hpp"

#include "tests/tidy/rules.hpp"

#include <array>

namespace troupe::tidy {

std::span<const arrow> arrows() {
  static const std::vector<arrow> rows{
    {"runtime/base/", {"runtime/base/"}},
    {"runtime/protocol/", {"runtime/base/", "runtime/protocol/"}},
    {"runtime/", {"runtime/"}},
    {"storage/", {"storage/", "runtime/base/"}},
    {"kernels/", {"kernels/", "runtime/base/"}},
    {"actors/", {"actors/", "kernels/", "runtime/", "storage/"}},
    {"launcher/", {"launcher/", "actors/", "kernels/", "runtime/", "storage/"}},
    {"examples/",
     {"examples/", "launcher/", "actors/", "kernels/", "runtime/", "storage/", "tests/support/"}},
    {"tests/", {""}},
  };
  return rows;
}

std::span<const foreign> foreign_headers() {
  static const std::vector<foreign> rows{
    {"zmq.h",
     {"runtime/zmq_", "runtime/zap.cpp", "runtime/keys.cpp", "tests/bench/", "tests/fuzz/"}},
    {"rocksdb/", {"storage/rocksdb_store.cpp", "tests/support/faulty_disk.cpp"}},
    {"archive.h", {"storage/pack.cpp", "storage/unpack.cpp", "tests/support/archive_maker.hpp"}},
    {"archive_entry.h",
     {"storage/pack.cpp", "storage/unpack.cpp", "tests/support/archive_maker.hpp"}},
    {"dnnl", {"kernels/onednn/"}},
    {"oneapi/dnnl/", {"kernels/onednn/"}},
    {"spdlog/", {"runtime/base/log.cpp"}},
    {"fmt/", {"runtime/base/log.cpp"}},
    {"yaml-cpp/",
     {"actors/jobs/job_file.cpp", "actors/jobs/yaml_reader.", "launcher/config_file.cpp",
      "tests/e2e/docker_test.cpp"}},
    {"pugixml.hpp",
     {"actors/jobs/tony_xml.cpp", "storage/bytes/s3_answers.cpp", "tests/unit/lineage/"}},
    {"curl/", {"storage/bytes/s3_http.cpp"}},
    {"CLI/", {"launcher/", "examples/"}},
    {"hwloc.h", {"launcher/machine.cpp"}},
    {"malloc.h", {"launcher/executor_main.cpp"}},
    {"regex.h", {"launcher/line_filter.cpp"}},
    {"stdio.h", {"launcher/troupe_metric.h"}}, // it is C as well
    {"stdlib.h", {"launcher/troupe_metric.h"}},
    {"caf/io/", {"tests/bench/"}},
    {"caf/openssl/", {"tests/bench/"}},
    {"caf/", {"runtime/", "actors/", "launcher/", "examples/", "tests/"}},
    {"flatbuffers/", {"runtime/", "tests/fuzz/", "tests/bench/"}},
    {"troupe_generated.h", {"runtime/protocol/messages.hpp"}},
    {"xxhash.h",
     {"runtime/base/ids.cpp", "runtime/bulk_transfer.cpp", "storage/", "tests/unit/storage/"}},
    {"openssl/",
     {"runtime/bulk_tls.cpp", "storage/hash.cpp", "tests/unit/runtime/bulk_tls_test.cpp"}},
    {"cuda", {"kernels/cuda/", "kernels/collective/nccl/", "tests/bench/nccl_allreduce.cpp"}},
    {"cublas_v2.h", {"kernels/cuda/"}},
    {"cudnn.h", {"kernels/cuda/"}},
    {"nccl.h",
     {"kernels/collective/nccl/", "kernels/cuda/entry.cpp", "tests/bench/nccl_allreduce.cpp"}},
    {"nlohmann/", {"launcher/", "actors/", "tests/"}},
    {"zlib.h", {"actors/training/input/inflate.cpp", "tests/support/input_bytes.hpp"}},
    {"zstd.h", {"storage/bytes/compression.cpp"}},
    {"nmmintrin.h", {"actors/training/input/crc32c.cpp"}},
    {"httplib.h", {"tests/e2e/"}},
    {"prometheus/", {"runtime/metrics.cpp"}},
    {"gtest/", {"tests/", "examples/"}},
    {"gmock/", {"tests/"}},
    {"gloo/", {"tests/bench/"}},
    {"sqlite3.h", {"tests/bench/"}},
    {"mpi.h", {"tests/bench/"}},
  };
  return rows;
}

std::span<const ban> bans() {
  static const std::vector<ban> rows{
    {"sleep_for", {"runtime/base/", "launcher/"}, "wait for a condition with a deadline"},
    {"sleep_until", {"runtime/base/", "launcher/"}, "wait for a condition with a deadline"},
    {"usleep", {}, "wait for a condition with a deadline"},
    {"nanosleep", {}, "wait for a condition with a deadline"},
    {"rand()", {}, "take a random_source"},
    {"std::random_device", {"runtime/base/", "launcher/", "examples/"}, "take a random_source"},
    {"getenv", {"runtime/base/", "launcher/", "examples/", "tests/"}, "take it as an option"},
    {"caf::infinite", {}, "give the request a finite deadline"},
    {"throw", {}, "return a result"},
    {"using namespace std;", {}, "name what is used"},
  };
  return rows;
}

std::span<const exception> exceptions() {
  static constexpr std::array<exception, 3> rows{{
    {"line_length", "runtime/base/result.hpp",
     "clang-format 14 keeps a requires clause of a constructor on one line"},
    {"banned_calls", "kernels/collective/shm/join.cpp",
     "polls for a file that rank 0, another process, makes; bounded by a deadline"},
    {"banned_calls", "launcher/config_file.cpp", "CLI11 learns of a bad file by an exception only"},
  }};
  return rows;
}

} // namespace troupe::tidy
