#include "storage/checkpoint.hpp"
#include "storage/hash.hpp"
#include "tests/support/scratch_directory.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <numeric>
#include <thread>

namespace troupe::storage {
namespace {

namespace fs = std::filesystem;

class checkpoints : public testing::Test {
protected:
  checkpoints() : weights_(1000), bias_(3, 0.5f), path_(directory_.path + "/job") {
    std::iota(weights_.begin(), weights_.end(), -500.0f);
  }

  result<checkpoint_info> write(uint64_t attempt, uint64_t step) {
    std::vector<tensor_view> tensors{{"weights", {10, 100}, weights_}, {"bias", {3}, bias_}};
    return write_checkpoint(path_, attempt, step, tensors, {{"epoch", std::to_string(step)}});
  }

  // "attempt/step" of the newest one.
  std::string newest() {
    auto found = newest_checkpoint(path_);
    if (!found)
      return std::string(name_of(found.error().code));
    if (!*found)
      return "none";
    return std::to_string((*found)->attempt) + "/" + std::to_string((*found)->step);
  }

  static void flip_bit(const std::string& path, std::streamoff at) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    auto byte = file.get();
    file.seekp(at);
    file.put(static_cast<char>(byte ^ 16));
  }

  std::vector<std::string> files() {
    std::vector<std::string> out;
    for (const auto& x : fs::recursive_directory_iterator(path_))
      if (x.is_regular_file())
        out.push_back(fs::relative(x.path(), path_).string());
    std::sort(out.begin(), out.end());
    return out;
  }

  scratch_directory directory_;
  std::vector<float> weights_;
  std::vector<float> bias_;
  std::string path_;
};

TEST_F(checkpoints, give_back_what_was_written) {
  auto written = write(2, 120);
  ASSERT_TRUE(written) << written.error().text;
  EXPECT_EQ(written->paths.front(), path_ + "/attempt-0002/step-00000120.ckpt");
  auto found = newest_checkpoint(path_);
  ASSERT_TRUE(found && found->has_value());
  EXPECT_EQ(**found, *written);
  auto read = read_checkpoint(written->paths.front());
  ASSERT_TRUE(read) << read.error().text;
  EXPECT_EQ(read->attempt, 2u);
  EXPECT_EQ(read->step, 120u);
  EXPECT_EQ(read->meta, (std::map<std::string, std::string>{{"epoch", "120"}}));
  ASSERT_EQ(read->tensors.size(), 2u);
  EXPECT_EQ(read->tensors[0].name, "weights");
  EXPECT_EQ(read->tensors[0].shape, (std::vector<uint64_t>{10, 100}));
  EXPECT_EQ(read->tensors[0].values, weights_);
  EXPECT_EQ(read->tensors[1].values, bias_);
}

TEST_F(checkpoints, may_be_empty) {
  auto written = write_checkpoint(path_, 1, 0, {}, {});
  ASSERT_TRUE(written);
  auto read = read_checkpoint(written->paths.front());
  ASSERT_TRUE(read);
  EXPECT_TRUE(read->tensors.empty() && read->meta.empty());
}

TEST_F(checkpoints, the_newest_is_of_the_highest_attempt_that_has_one) {
  EXPECT_EQ(newest(), "none");
  ASSERT_TRUE(write(1, 90));
  ASSERT_TRUE(write(1, 100));
  EXPECT_EQ(newest(), "1/100");
  fs::create_directories(path_ + "/attempt-0002");
  EXPECT_EQ(newest(), "1/100");
  ASSERT_TRUE(write(2, 95));
  EXPECT_EQ(newest(), "2/95");
  ASSERT_TRUE(write(12345, 1)); // more digits than are usual
  EXPECT_EQ(newest(), "12345/1");
}

TEST_F(checkpoints, an_older_attempt_may_not_write_any_more) {
  ASSERT_TRUE(write(2, 10));
  auto late = write(1, 500);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, errc::refused);
  EXPECT_EQ(newest(), "2/10");
}

TEST_F(checkpoints, damage_at_any_place_is_found_and_skipped) {
  ASSERT_TRUE(write(1, 1));
  auto good = write(1, 2);
  ASSERT_TRUE(good);
  auto size = static_cast<std::streamoff>(fs::file_size(good->paths.front()));
  for (std::streamoff at = 0; at < size; at += at < 200 ? 1 : 97) {
    flip_bit(good->paths.front(), at);
    auto read = read_checkpoint(good->paths.front());
    ASSERT_FALSE(read) << "at " << at;
    EXPECT_EQ(read.error().code, errc::corrupt) << "at " << at;
    if (at % 50 == 0) {
      EXPECT_EQ(newest(), "1/1") << "at " << at;
    }
    flip_bit(good->paths.front(), at);
  }
  EXPECT_EQ(newest(), "1/2");
}

TEST_F(checkpoints, a_torn_one_is_skipped) {
  ASSERT_TRUE(write(1, 1));
  auto torn = write(1, 2);
  ASSERT_TRUE(torn);
  auto size = fs::file_size(torn->paths.front());
  for (auto left : {size - 1, size / 2, uintmax_t{30}, uintmax_t{1}, uintmax_t{0}}) {
    fs::resize_file(torn->paths.front(), left);
    EXPECT_EQ(newest(), "1/1") << left;
    EXPECT_EQ(read_checkpoint(torn->paths.front()).error().code, errc::corrupt) << left;
  }
  ASSERT_TRUE(write(1, 2)); // replaces it
  EXPECT_EQ(newest(), "1/2");
  std::ofstream(torn->paths.front(), std::ios::app) << "more";
  EXPECT_EQ(newest(), "1/1");
}

TEST_F(checkpoints, bad_input_is_refused_before_anything_is_written) {
  auto errors = [&](tensor_view x, std::map<std::string, std::string> meta = {}) {
    auto written = write_checkpoint(path_, 1, 1, std::vector{x}, meta);
    return written ? errc::ok : written.error().code;
  };
  EXPECT_EQ(errors({"w", {10, 99}, weights_}), errc::invalid);
  EXPECT_EQ(errors({"w", {1ull << 63, 1ull << 63}, {}}), errc::invalid);
  EXPECT_EQ(errors({"", {1000}, weights_}), errc::invalid);
  EXPECT_EQ(errors({"w", {1000}, weights_}, {{"k", std::string(5000, 'v')}}), errc::invalid);
  EXPECT_EQ(newest(), "none");
  EXPECT_EQ(files(), std::vector<std::string>{});
  EXPECT_EQ(read_checkpoint(path_ + "/nothing").error().code, errc::not_found);
  EXPECT_EQ(prune_checkpoints(path_, 0).error().code, errc::invalid);
}

// A limit on the size of files stands in for a full disk. In a child: it holds for the process.
TEST_F(checkpoints, a_full_disk_is_an_error_and_leaves_the_older_one) {
  ASSERT_TRUE(write(1, 1));
  auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto written = write(1, 2);
    ::_exit(!written && written.error().code == errc::io ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(newest(), "1/1");
  EXPECT_EQ(files().size(), 1u); // nothing half-written is left
}

TEST_F(checkpoints, a_killed_writer_leaves_whole_ones) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  auto child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(ends[0]);
    for (uint64_t step = 1;; ++step)
      if (!write(1, step) || ::write(ends[1], &step, sizeof step) != sizeof step)
        ::_exit(1);
  }
  ::close(ends[1]);
  uint64_t acknowledged = 0;
  uint64_t step = 0;
  while (::read(ends[0], &step, sizeof step) == sizeof step) {
    acknowledged = step;
    if (step == 20)
      ::kill(child, SIGKILL);
  }
  ::close(ends[0]);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  auto found = newest_checkpoint(path_);
  ASSERT_TRUE(found && found->has_value());
  EXPECT_GE((*found)->step, acknowledged);
}

TEST_F(checkpoints, pruning_keeps_the_newest_whole_ones) {
  for (uint64_t step = 1; step <= 3; ++step)
    ASSERT_TRUE(write(1, step));
  for (uint64_t step = 4; step <= 6; ++step)
    ASSERT_TRUE(write(2, step));
  flip_bit(path_ + "/attempt-0002/step-00000005.ckpt", 60);
  std::ofstream(path_ + "/attempt-0001/step-00000009.ckpt.tmp-1") << "killed";
  std::ofstream(path_ + "/attempt-0002/step-00000007.ckpt.tmp-1") << "under way";
  std::ofstream(path_ + "/attempt-0001/notes.txt") << "not ours";
  ASSERT_TRUE(prune_checkpoints(path_, 3));
  EXPECT_EQ(files(),
            (std::vector<std::string>{
              "attempt-0001/notes.txt", "attempt-0001/step-00000003.ckpt",
              "attempt-0002/step-00000004.ckpt", "attempt-0002/step-00000005.ckpt",
              "attempt-0002/step-00000006.ckpt", "attempt-0002/step-00000007.ckpt.tmp-1"}));
  ASSERT_TRUE(prune_checkpoints(path_, 1));
  EXPECT_EQ(newest(), "2/6");
  EXPECT_EQ(files().size(), 3u);
}

class shards : public checkpoints {
protected:
  // One of `count`: each has as many rows of the weights as it has indices before it, and one more;
  // the bias is with the first.
  result<checkpoint_info> write(uint64_t attempt, uint64_t step, const checkpoint_shard& shard) {
    auto rows = shard.index + 1;
    auto first = size_t{shard.index} * (shard.index + 1) / 2 * 100;
    std::vector<tensor_view> tensors{
      {"weights", {rows, 100}, std::span(weights_).subspan(first, size_t{rows} * 100)}};
    if (shard.index == 0)
      tensors.push_back({"bias", {3}, bias_});
    return write_checkpoint(path_, attempt, step, tensors, {{"step", std::to_string(step)}}, shard);
  }

  void write_all(uint64_t attempt, uint64_t step, uint32_t generation, uint32_t count = 4) {
    for (uint32_t index = 0; index < count; ++index)
      ASSERT_TRUE(write(attempt, step, {generation, index, count}));
  }

  std::string path_of(uint64_t step, const std::string& shard) const {
    return path_ + "/attempt-0001/step-0000000" + std::to_string(step) + "." + shard + ".ckpt";
  }
};

TEST_F(shards, are_joined_in_their_order) {
  for (uint32_t index : {2U, 0U, 3U, 1U}) {
    EXPECT_EQ(newest(), "none");
    auto written = write(1, 7, {2, index, 4});
    ASSERT_TRUE(written) << written.error().text;
    EXPECT_EQ(written->paths.front(),
              path_of(7, "generation-0002.shard-000" + std::to_string(index) + "-of-0004"));
  }
  auto found = newest_checkpoint(path_);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->generation, 2u);
  EXPECT_EQ((*found)->paths.size(), 4u);
  auto read = read_checkpoint(**found);
  ASSERT_TRUE(read) << read.error().text;
  ASSERT_EQ(read->tensors.size(), 2u);
  EXPECT_EQ(read->tensors[0].shape, (std::vector<uint64_t>{10, 100}));
  EXPECT_EQ(read->tensors[0].values, weights_);
  EXPECT_EQ(read->tensors[1].values, bias_);
}

TEST_F(shards, count_when_all_of_one_generation_and_count_are_there) {
  ASSERT_TRUE(write_checkpoint(path_, 1, 1, {}, {}));
  write_all(1, 2, 0, 3);
  EXPECT_EQ(newest(), "1/2");
  fs::remove(path_of(2, "generation-0000.shard-0002-of-0003"));
  EXPECT_EQ(newest(), "1/1");
  ASSERT_TRUE(write(1, 2, {1, 2, 3})); // of another generation
  EXPECT_EQ(newest(), "1/1");
  ASSERT_TRUE(write(1, 2, {0, 2, 4})); // of another count
  EXPECT_EQ(newest(), "1/1");
  ASSERT_TRUE(write(2, 2, {0, 2, 3})); // of another attempt
  EXPECT_EQ(newest(), "1/1");
  fs::remove_all(path_ + "/attempt-0002");
  ASSERT_TRUE(write(1, 2, {0, 2, 3}));
  EXPECT_EQ(newest(), "1/2");
  EXPECT_EQ(write(1, 3, {0, 3, 3}).error().code, errc::invalid);
}

TEST_F(shards, that_are_torn_or_do_not_belong_together_are_skipped) {
  write_all(1, 1, 0);
  write_all(1, 2, 0);
  auto torn = path_of(2, "generation-0000.shard-0003-of-0004");
  auto size = fs::file_size(torn);
  for (auto left : {size - 1, uintmax_t{20}, uintmax_t{0}}) {
    fs::resize_file(torn, left);
    EXPECT_EQ(newest(), "1/1") << left;
  }
  fs::copy_file(path_of(1, "generation-0000.shard-0003-of-0004"), torn,
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(newest(), "1/1");
  ASSERT_TRUE(write(1, 2, {0, 3, 4}));
  EXPECT_EQ(newest(), "1/2");
}

TEST_F(shards, have_one_name_each) {
  write_all(1, 1, 0);
  auto name = path_of(2, "generation-0000.shard-0000-of-0002");
  fs::copy_file(path_of(1, "generation-0000.shard-0000-of-0004"), name);
  for (auto shard : {"generation-0000.shard-00001-of-002", "generation-0000.shard-1-of-0002",
                     "generation-0000.shard-0001-of-2", "generation-0000.shard-0001-of-0002.more",
                     "shard-0001-of-0002", "generation-0000.shard-4294967297-of-0002",
                     "generation-0000.shard-0000-of-0001"})
    fs::copy_file(name, path_of(2, shard));
  EXPECT_EQ(newest(), "1/1");
}

TEST_F(shards, are_pruned_together) {
  for (uint64_t step : {1U, 2U, 4U, 5U, 6U})
    write_all(1, step, 0, 2);
  ASSERT_TRUE(write(1, 3, {0, 0, 2})); // its other writer was killed
  ASSERT_TRUE(write(1, 7, {0, 1, 2})); // its other writer still writes
  std::ofstream(path_of(6, "generation-0000.shard-0001-of-0003") + ".tmp-1") << "killed";
  std::ofstream(path_of(7, "generation-0000.shard-0000-of-0002") + ".tmp-1") << "under way";
  std::set<std::string> known;
  ASSERT_TRUE(prune_checkpoints(path_, 3, &known));
  auto left = files();
  ASSERT_EQ(left.size(), 8u);
  for (size_t i = 0; i < 6; ++i)
    EXPECT_EQ(path_ + "/" + left[i],
              path_of(4 + i / 2, "generation-0000.shard-000" + std::to_string(i % 2) + "-of-0002"));
  ASSERT_TRUE(write(1, 7, {0, 0, 2}));
  EXPECT_EQ(newest(), "1/7");
  // What was read once is known to be whole.
  EXPECT_EQ(known.size(), 3u);
  flip_bit(path_of(6, "generation-0000.shard-0000-of-0002"), 60);
  ASSERT_TRUE(prune_checkpoints(path_, 2, &known));
  EXPECT_EQ(known.size(), 2u);
  EXPECT_EQ(files().size(), 4u); // steps 6 and 7
}

// A file that is there under its temporary name is not renamed yet: taken away, it will be missed.
TEST_F(shards,
       that_pruning_takes_from_their_writer_count_as_written_where_a_newer_one_is_complete) {
  write_all(1, 3, 0, 2);
  auto taken_while_written = [&](uint64_t step) {
    auto name
      = path_of(step, "generation-0000.shard-0001-of-0002") + ".tmp-" + std::to_string(::getpid());
    std::atomic<bool> ended = false;
    auto outcome = errc::ok;
    std::thread writer([&] {
      while (!ended && outcome == errc::ok)
        if (auto written = write(1, step, {0, 1, 2}); !written)
          outcome = written.error().code;
      ended = true;
    });
    for (int taken = 0; taken < 10 && !ended;)
      taken += fs::remove(name) ? 1 : 0;
    ended = true;
    writer.join();
    return outcome;
  };
  EXPECT_EQ(taken_while_written(2), errc::ok);
  EXPECT_EQ(taken_while_written(4), errc::io);
}

// What the released versions write and read: the bytes of 0.1.0.
TEST_F(checkpoints, of_one_file_have_the_bytes_that_released_versions_wrote) {
  auto written = write(2, 120);
  ASSERT_TRUE(written);
  EXPECT_EQ(*sha256_file(written->paths.front()),
            "a5ad6ae7de98e054873e629d7b50a9bf8b49f516d52e473a70c908aa13c01d01");
}

TEST(hash, is_sha256) {
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  scratch_directory directory;
  auto path = directory.path + "/file";
  std::ofstream(path) << "abc";
  EXPECT_EQ(*sha256_file(path), sha256("abc"));
  EXPECT_EQ(sha256_file(path + "x").error().code, errc::not_found);
  EXPECT_EQ(sha256_file(directory.path).error().code, errc::io);
}

} // namespace
} // namespace troupe::storage
