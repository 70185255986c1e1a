// How far sums of f32 are from exact ones.

#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <vector>

#include "kernels/cpu/kernels.h"
#include "kernels/runtime.h"
#include "tests/kernels/view_of.h"

namespace gestalt::cpu {
namespace {

using tests::view_of;

const Shape image{4, 64, 40, 41};

// sum(x, scale 1, y) of x in the format given over the dimensions of size 1 in `kept`, against sums
// of f64: Bound(sum of |x|, exact sum).
template <class Bound>
void expect_sums(const Shape& kept, Format format, float low, const Bound& bound) {
  std::vector<float> x(static_cast<size_t>(image.numel()));
  std::mt19937 random(7);
  std::uniform_real_distribution<float> uniform(low, 1);
  for (float& value : x) value = uniform(random);
  const View in = view_of(x, image, format);
  std::vector<float> y(static_cast<size_t>(kept.numel()));
  const View out = view_of(y, kept);
  Context context(Device{}, cpu_runtime);
  sum(context, in, 1, out);

  std::vector<double> exact(y.size()), sizes(y.size());
  for (int64_t i = 0; i < image.numel(); ++i) {
    int64_t from = 0, to = 0, rest = i;
    for (int dim = 3; dim >= 0; --dim) {
      from += rest % image[dim] * in.strides[dim];
      if (kept[dim] != 1) to += rest % image[dim] * out.strides[dim];
      rest /= image[dim];
    }
    exact[to] += x[from];
    sizes[to] += std::abs(x[from]);
  }
  for (size_t i = 0; i < y.size(); ++i) {
    ASSERT_LE(std::abs(y[i] - exact[i]), bound(sizes[i], exact[i]))
        << i << ' ' << to_string(format);
  }
}

// Each element is rounded in two sums of f32, and their f64 sum once.
TEST(Sum, IsWithinTwoRoundingsOfEachElement) {
  for (const Format format : {Format::contiguous, Format::channels_last}) {
    for (const Shape& kept : {Shape{1, 1, 1, 1}, Shape{4, 64, 1, 1}, Shape{4, 64, 40, 1},
                              Shape{1, 64, 40, 41}, Shape{4, 1, 40, 41}, Shape{1, 64, 1, 1}}) {
      expect_sums(kept, format, -1, [](double size, double exact) {
        return 2 * 0x1p-24 * size + 0x1p-24 * std::abs(exact);
      });
      // Of numbers of one sign: the errors are random, and the last rounding is the most of them.
      if (kept.numel() == 1) {
        expect_sums(kept, format, 0, [](double, double exact) { return 0x1.1p-24 * exact; });
      }
    }
  }
}

TEST(Sum, OfWholeNumbersIsExact) {
  std::vector<float> x(1 << 20, 3), y(1);
  Context context(Device{}, cpu_runtime);
  sum(context, view_of(x, {1 << 20}), 1, view_of(y, {1}));
  EXPECT_EQ(y[0], 3 * (1 << 20));
}

}  // namespace
}  // namespace gestalt::cpu
