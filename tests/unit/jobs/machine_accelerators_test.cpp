// The accelerators of the machine, and how a task is kept from those of others.
#include "actors/jobs/accelerators.hpp"
#include "actors/jobs/control_group.hpp"
#include "actors/jobs/device_limit.hpp"
#include "tests/support/scratch_directory.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace troupe {
namespace {

namespace fs = std::filesystem;

constexpr auto stand_in = TROUPE_STAND_IN_NVML;

std::string text_of(const std::vector<accelerator>& all) {
  std::string out;
  for (auto& each : all)
    out += each.name + "=" + each.device + " ";
  return out;
}

TEST(MachineAccelerators, AreThoseThatTheLibraryKnows) {
  EXPECT_EQ(text_of(machine_accelerators(std::nullopt, stand_in)),
            "0=/dev/nvidia40 1=/dev/nvidia41 ");
}

TEST(MachineAccelerators, AreTheVisibleOnesInTheirOrder) {
  EXPECT_EQ(text_of(machine_accelerators("GPU-second,0", stand_in)),
            "GPU-second=/dev/nvidia41 0=/dev/nvidia40 ");
  EXPECT_EQ(text_of(machine_accelerators("1", stand_in)), "1=/dev/nvidia41 ");
  EXPECT_EQ(text_of(machine_accelerators("GPU-sec,GPU-f", stand_in)),
            "GPU-sec=/dev/nvidia41 GPU-f=/dev/nvidia40 ");
  EXPECT_EQ(text_of(machine_accelerators("", stand_in)), "");
}

TEST(MachineAccelerators, EndAtANameThatIsNone) {
  EXPECT_EQ(text_of(machine_accelerators("0,2,1", stand_in)), "0=/dev/nvidia40 ");
  EXPECT_EQ(text_of(machine_accelerators("GPU-other,0", stand_in)), "");
  EXPECT_EQ(text_of(machine_accelerators("GPU-,0", stand_in)), ""); // both
}

TEST(MachineAccelerators, AreNoneWithoutTheLibrary) {
  EXPECT_EQ(text_of(machine_accelerators(std::nullopt, "libno-such.so.1")), "");
}

std::optional<accelerator_usage> first_of(accelerator_meter& meter) {
  std::optional<accelerator_usage> out;
  for (int tries = 0; !out && tries < 10'000; ++tries) {
    out = meter.newest();
    ::poll(nullptr, 0, out ? 0 : 1);
  }
  return out;
}

TEST(AcceleratorMeter, AddsUpWhatIsUsed) {
  accelerator_meter meter{{"0", "GPU-second"}, std::chrono::milliseconds{1}, stand_in};
  for (int times = 0; times < 2; ++times) {
    auto used = first_of(meter);
    ASSERT_TRUE(used);
    ASSERT_TRUE(used->share);
    EXPECT_DOUBLE_EQ(*used->share, 1.25);
    EXPECT_EQ(used->memory, 8'001u);
  }
}

// A device that everybody may read otherwise: /dev/zero by another name.
class DeviceLimit : public ::testing::Test {
protected:
  void SetUp() override {
    if (::mknod(device.c_str(), S_IFCHR | 0666, zero) != 0
        || !owned_fd{::open(device.c_str(), O_RDONLY | O_CLOEXEC)})
      GTEST_SKIP() << "no device files can be made here";
  }

  // What a process that has joined by `join` sees.
  template <class Join>
  static bool can_read(const std::string& path, const Join& join) {
    auto child = ::fork();
    if (child == 0) {
      if (!join())
        ::_exit(2);
      ::_exit(owned_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)} ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_NE(WEXITSTATUS(status), 2);
    return status == 0;
  }

  scratch_directory scratch;
  const dev_t zero = ::makedev(1, 5);
  std::string device = scratch.path + "/nvidia0";
};

TEST_F(DeviceLimit, AGroupCannotOpenWhatItIsDenied) {
  auto made = control_group::make(::getpid(), {0, 1, 100, {zero}});
  if (!made)
    GTEST_SKIP() << made.error().text;
  auto join = [&] { return made->join(); };
  EXPECT_FALSE(can_read(device, join));
  EXPECT_TRUE(can_read("/dev/null", join));
  EXPECT_TRUE(can_read(device, [] { return true; }));
}

// The hierarchy of version 2, wherever it is mounted.
std::string unified_groups() {
  std::ifstream mounts{"/proc/mounts"};
  for (std::string source, where, kind, rest;
       mounts >> source >> where >> kind && std::getline(mounts, rest);)
    if (kind == "cgroup2")
      return where;
  return {};
}

TEST_F(DeviceLimit, NorDoesOneOfVersion2) {
  auto group = unified_groups() + "/troupe-test-" + std::to_string(::getpid());
  std::error_code failed;
  if (!fs::create_directory(group, failed))
    GTEST_SKIP() << "no control groups of version 2 that may be written here";
  auto denied = deny_devices(group, {::makedev(195, 3), zero});
  auto join = [&] {
    return static_cast<bool>(std::ofstream{group + "/cgroup.procs"} << "0\n" << std::flush);
  };
  if (denied) {
    EXPECT_FALSE(can_read(device, join));
    EXPECT_TRUE(can_read("/dev/null", join));
  }
  EXPECT_EQ(::rmdir(group.c_str()), 0);
  if (!denied)
    GTEST_SKIP() << denied.error().text;
}

} // namespace
} // namespace troupe
