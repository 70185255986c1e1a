// Memory that half-precision kernels keep: what is found again, how much is kept, when it goes, and
// that no result depends on what it held.

#include "kernels/cpu/f32_blocks.h"

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <utility>
#include <vector>

#include "kernels/runtime.h"
#include "kernels/table.h"
#include "tests/kernels/view_of.h"

namespace gestalt {
namespace {

using cpu::F32Blocks;

constexpr size_t small = F32Blocks::least_size;

TEST(F32Blocks, TakesTheSmallestThatFits) {
  F32Blocks blocks;
  F32Blocks::Block first = blocks.take(2 * small), second = blocks.take(3 * small);
  const float *two = first.memory.get(), *three = second.memory.get();
  blocks.give(std::move(second));
  blocks.give(std::move(first));
  EXPECT_EQ(blocks.floats(), 5 * small);
  const F32Blocks::Block again = blocks.take(2 * small - 1);
  EXPECT_EQ(again.memory.get(), two);
  EXPECT_EQ(again.size, 2 * small);
  const F32Blocks::Block new_one = blocks.take(3 * small + 1);
  EXPECT_NE(new_one.memory.get(), three);
  EXPECT_EQ(new_one.size, 3 * small + 1);
  EXPECT_EQ(blocks.take(small).memory.get(), three);
  EXPECT_EQ(blocks.floats(), 0u);
}

TEST(F32Blocks, ALargeBlockIsNotForASmallCopy) {
  F32Blocks blocks;
  blocks.give(blocks.take(8 * small));
  EXPECT_EQ(blocks.take(small).size, small);
  EXPECT_EQ(blocks.floats(), 8 * small);
}

TEST(F32Blocks, KeepsTheNewest) {
  F32Blocks blocks;
  std::vector<F32Blocks::Block> taken;
  for (size_t i = 1; i <= F32Blocks::count + 2; ++i) taken.push_back(blocks.take(small + i));
  size_t expected = 0;
  for (F32Blocks::Block& block : taken) {
    if (block.size > small + 2) expected += block.size;
    blocks.give(std::move(block));
  }
  EXPECT_EQ(blocks.floats(), expected);
}

TEST(F32Blocks, KeepsNoMoreThanItsLimit) {
  F32Blocks blocks;
  blocks.give(blocks.take(small - 1));
  EXPECT_EQ(blocks.floats(), 0u);
  blocks.give(blocks.take(F32Blocks::most_floats + 1));
  EXPECT_EQ(blocks.floats(), 0u);
  F32Blocks::Block first = blocks.take(2 * small),
                   most = blocks.take(F32Blocks::most_floats - small);
  blocks.give(std::move(first));
  blocks.give(std::move(most));
  EXPECT_EQ(blocks.floats(), F32Blocks::most_floats - small);
}

struct Half {
  std::vector<uint16_t> bits;
  View view;
};

Half half(Context& context, const Shape& shape, double phase) {
  std::vector<float> values(shape.numel());
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(std::sin(phase + 1.7 * static_cast<double>(i)));
  }
  const View source = tests::view_of(values, shape);
  Half result{std::vector<uint16_t>(values.size()), source};
  result.view.data = result.bits.data();
  result.view.dtype = DType::bf16;
  context.kernels().copy(context, source, result.view);
  return result;
}

// Outputs and gradients of a convolution, and a product.
std::vector<uint16_t> run(Context& context) {
  const KernelTable& kernels = context.kernels();
  const Half x = half(context, {2, 16, 40, 41}, 0.1), w = half(context, {40, 16, 3, 3}, 0.2);
  const Half y = half(context, {2, 40, 40, 41}, 0), dx = half(context, {2, 16, 40, 41}, 0);
  const Half dw = half(context, {40, 16, 3, 3}, 0);
  const Conv2dDesc desc{.padding = {1, 1}};
  kernels.conv2d_forward(context, x.view, w.view, nullptr, y.view, desc);
  kernels.conv2d_backward_data(context, y.view, w.view, dx.view, desc);
  kernels.conv2d_backward_weights(context, y.view, x.view, dw.view, desc);
  const Half a = half(context, {1, 150, 200}, 0.3), b = half(context, {1, 200, 130}, 0.4);
  const Half product = half(context, {1, 150, 130}, 0);
  kernels.matmul(context, a.view, b.view, 1, 0, product.view);
  std::vector<uint16_t> all;
  for (const Half* part : {&y, &dx, &dw, &product}) {
    all.insert(all.end(), part->bits.begin(), part->bits.end());
  }
  return all;
}

TEST(F32Blocks, WhatABlockHeldReachesNoResult) {
  const std::unique_ptr<Context> fresh = cpu_runtime.make_context(0);
  const std::vector<uint16_t> expected = run(*fresh);
  const std::unique_ptr<Context> used = cpu_runtime.make_context(0);
  F32Blocks& blocks = used->state<F32Blocks>();
  for (int round = 0; round < 3; ++round) {
    std::vector<F32Blocks::Block> poisoned;
    for (size_t i = 0; i < F32Blocks::count; ++i) poisoned.push_back(blocks.take(small << (i + 1)));
    for (F32Blocks::Block& block : poisoned) {
      std::fill_n(block.memory.get(), block.size, NAN);
      blocks.give(std::move(block));
    }
    EXPECT_EQ(run(*used), expected);
  }
  EXPECT_GT(blocks.floats(), 0u);
  EXPECT_LE(blocks.floats(), F32Blocks::most_floats);
}

TEST(F32Blocks, TrimGivesThemUp) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  run(*context);
  EXPECT_GT(context->state<F32Blocks>().floats(), 0u);
  cpu_runtime.trim(*context);
  EXPECT_EQ(context->state<F32Blocks>().floats(), 0u);
}

}  // namespace
}  // namespace gestalt
