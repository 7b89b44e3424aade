// What holds without a GPU, too: opening the plug-in, and the errors that say what is missing.
#include "kernels/cuda/plugin.hpp"

#include <gtest/gtest.h>

namespace troupe::cuda {
namespace {

TEST(Plugin, AMissingLibraryIsNamed) {
  auto opened = open("/nonexistent/libtroupe_cuda.so");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::not_found);
  EXPECT_NE(opened.error().text.find("/nonexistent/libtroupe_cuda.so"), std::string::npos);
}

TEST(Plugin, AnyOtherLibraryIsRefused) {
  auto opened = open("libm.so.6");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, errc::invalid);
}

#ifdef TROUPE_HAS_CUDA
TEST(Plugin, OpensWhereThereIsNoDevice) {
  auto opened = open();
  ASSERT_TRUE(opened) << opened.error().text;
  EXPECT_EQ((*opened)->versions().rfind("CUDA ", 0), 0u) << (*opened)->versions();
  auto count = (*opened)->count_devices();
  if (count)
    return;
  EXPECT_EQ(count.error().code, errc::unavailable) << count.error().text;
  auto device = (*opened)->open_device(0);
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error().code, errc::unavailable) << device.error().text;
}

// Every rank is told, and the group that they met over goes on.
TEST(Plugin, AGroupOverNcclNeedsADevice) {
  auto opened = open();
  ASSERT_TRUE(opened) << opened.error().text;
  if ((*opened)->count_devices())
    GTEST_SKIP() << "skipped: there is a device";
  collective::group_options options;
  auto over = collective::join_shm(options, "troupe_cuda_plugin_test");
  ASSERT_TRUE(over);
  auto joined = (*opened)->join_nccl(options, **over, {});
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().code, errc::unavailable) << joined.error().text;
  EXPECT_TRUE((*over)->barrier());
}
#endif

} // namespace
} // namespace troupe::cuda
