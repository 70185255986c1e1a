// The emulated device itself: what it computes, and that it finds what only a GPU would show.

#include <gtest/gtest.h>
#include <vector>

#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tensor/context.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/tensor.h"

namespace gestalt {
namespace {

const Device cuda{DeviceType::cuda, 0};

TEST(EmulatedDevice, AddsAndCopiesBack) {
  const Tensor x = Tensor::from_vector<float>({1, 2, 3}, {3}, {.device = cuda});
  const Tensor y = add(x, x);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{2, 4, 6}));
}

}  // namespace
}  // namespace gestalt
