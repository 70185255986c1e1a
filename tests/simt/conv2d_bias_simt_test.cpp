// Bias and ReLU after a convolution: part of no table entry that the executor can run, so tested
// here.

#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <random>

#include "kernels/cuda/conv2d_bias.h"
#include "kernels/runtime.h"
#include "tests/simt/guarded_buffer.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

template <class T>
void check_bias(const Shape& shape, Format format, bool with_bias, Activation activation) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  const int64_t channels = shape[1];
  std::vector<T> bias;
  for (int64_t c = 0; c < channels; ++c) bias.push_back(T(normal(random)));
  std::vector<T> before;
  for (int64_t i = 0; i < shape.numel(); ++i) before.push_back(T(normal(random)));
  if (shape.numel() > 0) before[0] = T(std::numeric_limits<float>::quiet_NaN());
  simt::GuardedBuffer<T> y(before);

  const View view{y.data(), dtype_of<T>, Device{}, shape, strides_of(shape, format)};
  const View bias_view{bias.data(), dtype_of<T>, Device{}, {channels}, {1}};
  add_bias_and_activate(*context, with_bias ? &bias_view : nullptr, activation, view);
  ASSERT_TRUE(y.intact());
  for (int64_t n = 0; n < shape[0]; ++n) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < shape[2] * shape[3]; ++p) {
        const int64_t i = n * view.strides[0] + c * view.strides[1] +
                          p / shape[3] * view.strides[2] + p % shape[3] * view.strides[3];
        float expected = before[i];
        if (with_bias) expected += static_cast<float>(bias[c]);
        if (activation == Activation::relu && expected < 0) expected = 0;
        expected = T(expected);
        const float got = y[i];
        ASSERT_TRUE(got == expected || (std::isnan(got) && std::isnan(expected)))
            << to_string(view) << " at " << n << ' ' << c << ' ' << p << ": " << got << " for "
            << expected;
      }
    }
  }
}

TEST(Conv2dBias, AddsAndActivates) {
  for (const Format format : {Format::contiguous, Format::channels_last}) {
    for (const Activation activation : {Activation::none, Activation::relu}) {
      for (const bool with_bias : {true, false}) {
        check_bias<float>({2, 5, 7, 9}, format, with_bias, activation);
        check_bias<bfloat16>({3, 1, 4, 4}, format, with_bias, activation);
        check_bias<float16>({1, 65, 1, 3}, format, with_bias, activation);
        check_bias<float>({0, 5, 7, 9}, format, with_bias, activation);
      }
    }
  }
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
