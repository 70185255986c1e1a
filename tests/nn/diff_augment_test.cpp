// What DiffAugment makes of its numbers; against PyTorch: tests/parity/fastgan.py.

#include "nn/diff_augment.h"

#include <gtest/gtest.h>

#include "kernels/error.h"
#include "tensor/graph.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"

namespace gestalt::nn {
namespace {

// One picture's numbers, the rest in the middle: nothing is changed by them but the cutout.
Tensor numbers(float down, float right, float cut_down = 0.5f, float cut_right = 0.5f) {
  return Tensor::from_vector<float>({0.5f, 0.5f, 0.5f, down, right, cut_down, cut_right},
                                    {1, diff_augment_numbers});
}

TEST(DiffAugment, TheEndsOfTheNumbersAreTheEndsOfTheRange) {
  Generator random(1);
  const Tensor x = random.normal({1, 2, 16, 24});
  const auto moved = [&](const Tensor& given) {
    return diff_augment(x, given, {.translation = true});
  };
  // 16 / 8 = 2 rows and 24 / 8 = 3 columns at most.
  const float last = 0.99999994f;
  const Tensor up = moved(numbers(0, 0));  // y[h,w] = x[h-2,w-3]
  EXPECT_EQ(narrow(narrow(up, 2, 2, 14), 3, 3, 21).to_vector<float>(),
            narrow(narrow(x, 2, 0, 14), 3, 0, 21).to_vector<float>());
  EXPECT_EQ(sum(narrow(up, 2, 0, 2) * narrow(up, 2, 0, 2)).item(), 0);
  const Tensor down = moved(numbers(last, last));
  EXPECT_EQ(narrow(narrow(down, 2, 0, 14), 3, 0, 21).to_vector<float>(),
            narrow(narrow(x, 2, 2, 14), 3, 3, 21).to_vector<float>());
  EXPECT_EQ(moved(numbers(0.5f, 0.5f)).to_vector<float>(), x.to_vector<float>());
}

TEST(DiffAugment, CutoutStaysInsideAndTakesHalfOfEachSide) {
  const Tensor x = Tensor::ones({1, 1, 8, 6});
  const auto kept = [&](float down, float right) {
    return sum(diff_augment(x, numbers(0.5f, 0.5f, down, right), {.cutout = true})).item();
  };
  EXPECT_EQ(kept(0.5f, 0.5f), 48 - 4 * 3);  // offsets 4 and 3: rows 2-5, columns 2-4
  EXPECT_EQ(kept(0, 0), 48 - 2 * 2);        // rows -2 to 1, columns -1 to 1
  EXPECT_EQ(kept(0.9999f, 0), 48 - 2 * 2);  // offset 8: rows 6 to 9
}

TEST(DiffAugment, ACapturedStepReadsNewNumbersAtEachReplay) {
  const Device device;
  Generator random(5);
  const Tensor x = random.normal({4, 3, 16, 16}).set_requires_grad(true);
  Tensor given = random.uniform({4, diff_augment_numbers});
  Tensor y;
  const DiffAugmentPolicy policy{.color = true, .translation = true, .cutout = true};
  const auto step = [&] {
    Tensor leaf = x;
    leaf.set_grad({});
    y = diff_augment(x, given, policy);
    sum(y * y).backward();
  };
  CapturedGraph graph(device, step);
  const Tensor captured = y, captured_gradient = x.grad();
  for (int i = 0; i < 3; ++i) {
    random.fill_uniform(given, 0, 1);
    graph.replay();
    step();
    EXPECT_EQ(captured.to_vector<float>(), y.to_vector<float>()) << "replay " << i;
    EXPECT_EQ(captured_gradient.to_vector<float>(), x.grad().to_vector<float>()) << "replay " << i;
  }
}

TEST(DiffAugment, NumbersThatDoNotFitAreAnError) {
  const Tensor x = Tensor::ones({2, 3, 8, 8});
  EXPECT_THROW(diff_augment(x, numbers(0, 0), {}), Error);
  EXPECT_THROW(diff_augment(Tensor::ones({2, 3}), numbers(0, 0), {}), Error);
}

}  // namespace
}  // namespace gestalt::nn
