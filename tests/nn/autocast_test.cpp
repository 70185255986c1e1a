#include "nn/autocast.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "nn/conv.h"
#include "nn/conv_transpose.h"
#include "nn/layers.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/sequential.h"
#include "nn/softmax.h"
#include "tensor/ops/reduce.h"
#include "tensor/random.h"

namespace gestalt::nn {
namespace {

std::vector<float> values(const Tensor& x) {
  return x.to_vector<float>();
}

class Autocast : public testing::Test {
 protected:
  Tensor normal(const Shape& shape) { return generator_.normal(shape); }
  Tensor parameter(const Shape& shape) { return normal(shape).set_requires_grad(true); }

  Generator generator_{5};
};

TEST_F(Autocast, ConvolutionsAndLinearLayersAreThoseOfRoundedCopies) {
  const Tensor x = normal({2, 3, 6, 5}), w = normal({4, 3, 3, 3}), b = normal({4});
  const Tensor turned = normal({3, 4, 2, 2}), rows = normal({5, 7}), square = normal({6, 7});
  const auto half = [](const Tensor& tensor) { return tensor.to(DType::bf16); };
  const Tensor expected[] = {conv2d(half(x), half(w), half(b)),
                             conv_transpose2d(half(x), half(turned)),
                             linear(half(rows), half(square))};
  const AutocastGuard guard(DType::bf16);
  const Tensor results[] = {conv2d(x, w, b), conv_transpose2d(x, turned), linear(rows, square)};
  for (size_t i = 0; i < std::size(results); ++i) {
    EXPECT_EQ(results[i].dtype(), DType::bf16) << i;
    EXPECT_EQ(values(results[i]), values(expected[i])) << i;
  }
}

TEST_F(Autocast, GradientsAreThoseOfRoundedCopiesInF32) {
  const Tensor x = normal({2, 3, 6, 5}), w = parameter({4, 3, 3, 3});
  const Tensor half = w.detach().to(DType::bf16).set_requires_grad(true);
  sum(conv2d(x.to(DType::bf16), half).to(DType::f32)).backward();
  {
    const AutocastGuard guard(DType::bf16);
    sum(conv2d(x, w).to(DType::f32)).backward();
  }
  EXPECT_EQ(w.grad().dtype(), DType::f32);
  EXPECT_EQ(values(w.grad()), values(half.grad()));
}

TEST_F(Autocast, SoftmaxAndLossesAreF32) {
  const Tensor logits = normal({3, 4}).to(DType::bf16), targets = Tensor::zeros({3}, {DType::i64});
  const AutocastGuard guard(DType::bf16);
  EXPECT_EQ(softmax(logits).dtype(), DType::f32);
  EXPECT_EQ(values(log_softmax(logits)), values(log_softmax(logits.to(DType::f32))));
  EXPECT_EQ(cross_entropy(logits, targets).item(),
            cross_entropy(logits.to(DType::f32), targets).item());
  const Tensor other = normal({3, 4});  // f32 beside bf16
  EXPECT_EQ(mse_loss(logits, other).item(), mse_loss(logits.to(DType::f32), other).item());
  EXPECT_EQ(l1_loss(logits, other).item(), l1_loss(logits.to(DType::f32), other).item());
  EXPECT_EQ(binary_cross_entropy_with_logits(logits, other).item(),
            binary_cross_entropy_with_logits(logits.to(DType::f32), other).item());
}

TEST_F(Autocast, EndsWithItsGuardAndLeavesF64Alone) {
  const Tensor x = normal({2, 3}), w = normal({4, 3});
  {
    const AutocastGuard reduced(DType::bf16);
    {
      const AutocastGuard off(DType::f32);
      EXPECT_EQ(linear(x, w).dtype(), DType::f32);
    }
    EXPECT_EQ(linear(x, w).dtype(), DType::bf16);
    EXPECT_EQ(linear(x.to(DType::f64), w.to(DType::f64)).dtype(), DType::f64);
    EXPECT_FALSE(autocast({}).defined());
    EXPECT_EQ(autocast(Tensor::zeros({2}, {DType::i64})).dtype(), DType::i64);
  }
  EXPECT_EQ(linear(x, w).dtype(), DType::f32);
  EXPECT_THROW(AutocastGuard{DType::f64}, Error);
}

// Layers that run as one, with Top-K; gradients and running statistics f32 and near those of f32.
TEST_F(Autocast, ANetworkTrainsInMixedPrecision) {
  const auto network = std::make_shared<Sequential>();
  network->append(std::make_shared<Conv2d>(
      Conv2dOptions{.in_channels = 3, .out_channels = 8, .desc = {.padding = {1, 1}}}, generator_));
  network->append(std::make_shared<ReLU>());
  network->append(std::make_shared<TopK>(0.5));
  network->append(std::make_shared<BatchNorm2d>(8));
  network->append(std::make_shared<AvgPool2d>(Pool2dDesc{.kernel = {8, 8}, .stride = {8, 8}}));
  network->append(std::make_shared<Flatten>());
  network->append(std::make_shared<Linear>(8, 3, generator_));
  const Tensor x = normal({4, 3, 8, 8}), labels = Tensor::from_vector<int64_t>({0, 1, 2, 0}, {4});
  std::vector<std::vector<float>> gradients[2];
  double losses[2];
  for (const bool reduced : {false, true}) {
    network->zero_grad();
    const AutocastGuard guard(reduced ? DType::bf16 : DType::f32);
    const Tensor logits = (*network)(x);
    EXPECT_EQ(logits.dtype(), reduced ? DType::bf16 : DType::f32);
    const Tensor loss = cross_entropy(logits, labels);
    loss.backward();
    losses[reduced] = loss.item();
    for (const Tensor& parameter : network->parameters()) {
      EXPECT_EQ(parameter.dtype(), DType::f32);
      ASSERT_EQ(parameter.grad().dtype(), DType::f32);
      gradients[reduced].push_back(values(parameter.grad()));
    }
  }
  EXPECT_NE(losses[1], losses[0]);
  EXPECT_NEAR(losses[1], losses[0], 0.01);
  for (size_t i = 0; i < gradients[0].size(); ++i) {
    double difference = 0, size = 0;
    for (size_t j = 0; j < gradients[0][i].size(); ++j) {
      difference += std::pow(gradients[1][i][j] - gradients[0][i][j], 2);
      size += std::pow(gradients[0][i][j], 2);
    }
    EXPECT_TRUE(difference <= 0.01 * size + 1e-6) << i << ": " << difference << " of " << size;
  }
  for (const NamedTensor& entry : network->state_dict()) {
    EXPECT_NE(entry.tensor.dtype(), DType::bf16) << entry.name;
  }
}

}  // namespace
}  // namespace gestalt::nn
