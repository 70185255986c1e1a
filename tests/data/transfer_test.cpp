// Batches' way to a CUDA device, on the emulated one too.

#include "data/transfer.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <memory>

#include "kernels/capture.h"
#include "tests/cuda_device.h"

namespace gestalt::data {
namespace {

const Device cuda{DeviceType::cuda, 0};

// By a loader's workers while a training step is captured, say.
TEST(TransferOnCuda, GoesOnWhileTheDefaultContextCaptures) {
  GESTALT_NEEDS_DEVICE(cuda);
  Transfer transfer(cuda);
  CaptureState& capture = context(cuda).state<CaptureState>();
  capture.active = true;
  Tensor batch;
  EXPECT_NO_THROW({
    Tensor host = transfer.host_tensor({5}, DType::f32);
    for (int64_t i = 0; i < 5; ++i) host.data<float>()[i] = static_cast<float>(i);
    batch = transfer.to_device(host);
  });
  capture.active = false;
  EXPECT_EQ(batch.to_vector<float>(), (std::vector<float>{0, 1, 2, 3, 4}));
}

TEST(TransferOnCuda, LocksNoPagesAgainForTheNextLoader) {
  GESTALT_NEEDS_DEVICE(cuda);
  constexpr int64_t bytes = 12345;
  const auto address = [&](Transfer& transfer) {
    return transfer.host_tensor({bytes}, DType::u8).view().data;
  };
  const void* const before = address(*std::make_unique<Transfer>(cuda));
  // What was given back to the system goes here.
  const std::unique_ptr<void, void (*)(void*)> other(std::aligned_alloc(64, 12352), std::free);
  EXPECT_EQ(address(*std::make_unique<Transfer>(cuda)), before);
}

}  // namespace
}  // namespace gestalt::data
