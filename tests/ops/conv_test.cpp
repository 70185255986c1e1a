// Convolution as an op: its messages, and what backward must leave alone.

#include "nn/conv.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tensor/random.h"
#include "tests/error_of.h"

namespace gestalt {
namespace {

using tests::error_of;

TEST(Conv2dOp, MessagesNameTheShapes) {
  const Tensor x = Tensor::zeros({1, 3, 8, 8}), w = Tensor::zeros({64, 64, 3, 3});
  EXPECT_EQ(error_of([&] { nn::conv2d(x, w); }),
            "[conv2d] weight expects 64 input channels, input has 3 (input f32[1,3,8,8], weight "
            "f32[64,64,3,3])");
  EXPECT_EQ(error_of([&] {
              nn::conv2d(x, Tensor::zeros({4, 3, 9, 1}));
            }),
            "[conv2d] kernel reaches over 9 elements, the padded input has 8 (input f32[1,3,8,8], "
            "weight f32[4,3,9,1])");
  EXPECT_EQ(error_of([&] {
              nn::conv2d(x, Tensor::zeros({4, 3, 3, 3}), Tensor::zeros({5}));
            }),
            "[conv2d] bias expected 4 elements, got f32[5] (weight f32[4,3,3,3])");
}

// Backward masks gradients in place where nobody else holds them; here somebody does.
TEST(Conv2dOp, BackwardLeavesTheCallersGradientAlone) {
  Generator generator(1);
  Tensor x = generator.normal({1, 4, 8, 8});
  x.set_requires_grad(true);
  const Tensor y = nn::conv2d(x, generator.normal({4, 4, 3, 3}), {},
                              {.padding = {1, 1}, .activation = Activation::relu});
  const Tensor grad = generator.normal(y.shape());
  const std::vector<float> before = grad.to_vector<float>();
  y.backward(grad);
  EXPECT_EQ(grad.to_vector<float>(), before);
}

}  // namespace
}  // namespace gestalt
