// Convolution of images without pixels, whose padding alone is seen: the bias, and no gradient to
// the weights.

#include <gtest/gtest.h>
#include <vector>

#include "nn/conv.h"
#include "tensor/ops/reduce.h"
#include "tests/cuda_device.h"

namespace gestalt {
namespace {

class ConvolutionOfNothing : public testing::TestWithParam<DeviceType> {};

TEST_P(ConvolutionOfNothing, IsTheBias) {
  const Device device{GetParam()};
  GESTALT_NEEDS_DEVICE(device);
  const TensorOptions options{.device = device};
  Tensor x = Tensor::zeros({2, 3, 0, 4}, options);
  Tensor w = Tensor::ones({2, 3, 1, 1}, options);
  Tensor b = Tensor::from_vector(std::vector<float>{1, -2}, {2}, {.device = device});
  for (Tensor* leaf : {&x, &w, &b}) leaf->set_requires_grad(true);
  const Tensor y = nn::conv2d(x, w, b, {.padding = {1, 0}, .activation = Activation::relu});
  ASSERT_EQ(y.shape(), (Shape{2, 2, 2, 4}));
  const std::vector<float> values = y.to_vector<float>();
  for (size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], i / 8 % 2 == 0 ? 1 : 0) << i;

  sum(y).backward();
  EXPECT_EQ(x.grad().shape(), x.shape());
  EXPECT_EQ(w.grad().to_vector<float>(), std::vector<float>(6, 0));
  EXPECT_EQ(b.grad().to_vector<float>(), (std::vector<float>{16, 0}));
}

INSTANTIATE_TEST_SUITE_P(Devices, ConvolutionOfNothing,
                         testing::Values(DeviceType::cpu, DeviceType::cuda),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace gestalt
