// The losses' parts by hand; gradients and whole steps are compared with PyTorch's in
// tests/parity/fastgan.py.

#include "models/fastgan_losses.h"

#include <gtest/gtest.h>

#include "kernels/error.h"

namespace gestalt::models {
namespace {

Tensor vector(const std::vector<float>& values) {
  return Tensor::from_vector(values, {static_cast<int64_t>(values.size())});
}

TEST(FastGanLosses, HingesTakeTheirMarginsElementByElement) {
  const Tensor logits = vector({0.5f, 2, -1, 0.9f}), margins = vector({0.8f, 0.9f, 1, 0.8f});
  EXPECT_NEAR(hinge_loss_real(logits, margins).item(), (0.3 + 0 + 2 + 0) / 4, 1e-6);
  EXPECT_NEAR(hinge_loss_fake(logits, margins).item(), (1.3 + 2.9 + 0 + 1.7) / 4, 1e-6);
  EXPECT_THROW(hinge_loss_real(logits, vector({1})), Error);
}

TEST(FastGanLosses, AQuarterByNumbersIsTheQuarterByItsNumber) {
  Generator random(3);
  const Tensor x = random.normal({2, 3, 6, 6});
  for (int part = 0; part < 4; ++part) {
    const std::vector<float> numbers = {part / 2 ? 0.5f : 0.4999f, part % 2 ? 0.99f : 0.0f};
    EXPECT_EQ(quarter(x, vector(numbers)).to_vector<float>(), quarter(x, part).to_vector<float>());
  }
  EXPECT_THROW(quarter(x, vector({0.5f})), Error);
  EXPECT_THROW(quarter(random.normal({2, 3, 6, 4}), vector({0, 0})), Error);
}

TEST(FastGanLosses, TheSmallPictureIsEveryOtherPixel) {
  Generator random(3);
  const Tensor x = random.normal({1, 3, 32, 32});
  const FastGanImages images = both_sizes(x);
  ASSERT_EQ(images.small.shape(), Shape({1, 3, 16, 16}));
  EXPECT_EQ(images.small.to_vector<float>()[17], x.to_vector<float>()[2 * 32 + 2]);
}

}  // namespace
}  // namespace gestalt::models
