// A build with CUDA on a machine with or without a driver.

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tests/cuda_required.h"

namespace gestalt {
namespace {

TEST(CudaRuntime, StartsWithoutDriver) {
  const Runtime* cuda = runtime(DeviceType::cuda);
  if (cuda == nullptr) GTEST_SKIP() << "built without CUDA";
  const int devices = cuda->device_count();
  ASSERT_GE(devices, 0);
  EXPECT_EQ(cuda->device_count(), devices);  // asking left no error behind
  try {
    cuda->make_context(devices);
    FAIL() << "a context on a device that does not exist";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no device cuda:"), std::string::npos) << error.what();
  }
}

TEST(CudaRuntime, SaysWhyThereIsNoDevice) {
  const Runtime* cuda = runtime(DeviceType::cuda);
  if (cuda == nullptr || cuda->device_count() > 0) GTEST_SKIP() << "no CUDA, or a device";
  const NoDevice why = cuda->why_no_device();
  EXPECT_FALSE(why.finding.what.empty());
  EXPECT_FALSE(why.finding.remedy.empty());
  EXPECT_EQ(cuda->device_count(), 0);  // asking left no error behind
}

TEST(CudaRuntime, MemoryRoundTrip) {
  const Runtime* cuda = runtime(DeviceType::cuda);
  if (cuda == nullptr || cuda->device_count() == 0) {
    if (tests::cuda_is_required()) FAIL() << "no CUDA device, and one is required";
    GTEST_SKIP() << "no CUDA device";
  }
  const std::unique_ptr<Context> context = cuda->make_context(0);
  EXPECT_FALSE(cuda->describe(0).empty());
  EXPECT_GT(cuda->memory(*context).total, 0u);
  const char sent[] = "to the device and back";
  char received[sizeof sent] = {};
  void* first = cuda->allocate(*context, sizeof sent);
  void* second = cuda->allocate(*context, sizeof sent);
  cuda->copy(*context, first, sent, sizeof sent, CopyKind::host_to_device);
  cuda->copy(*context, second, first, sizeof sent, CopyKind::device_to_device);
  cuda->copy(*context, received, second, sizeof sent, CopyKind::device_to_host);
  EXPECT_STREQ(received, sent);
  cuda->release(*context, first);
  cuda->release(*context, second);
  cuda->synchronize(*context);
}

}  // namespace
}  // namespace gestalt
