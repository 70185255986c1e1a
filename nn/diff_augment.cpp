#include "nn/diff_augment.h"

#include "kernels/error.h"
#include "nn/augment.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"

namespace gestalt::nn {
namespace {

// Whole numbers of [low, low + count) from uniform ones of [0, 1), i64.
Tensor whole_numbers(const Tensor& uniform, int64_t low, int64_t count) {
  return (uniform * static_cast<double>(count)).to(DType::i64) + static_cast<double>(low);
}

int64_t part_of(int64_t size, double ratio) {
  return static_cast<int64_t>(static_cast<double>(size) * ratio + 0.5);
}

}  // namespace

Tensor diff_augment(const Tensor& x, const Tensor& numbers, const DiffAugmentPolicy& policy) {
  GESTALT_CHECK(x.rank() == 4, "[diff_augment] expected [N,C,H,W], got {}", x);
  GESTALT_CHECK(numbers.dtype() == DType::f32 && numbers.device() == x.device() &&
                    numbers.shape() == Shape({x.size(0), diff_augment_numbers}),
                "[diff_augment] expected numbers f32[{},{}] on {}, got {} on {}", x.size(0),
                diff_augment_numbers, x.device(), numbers, numbers.device());
  const auto column = [&](int i) { return narrow(numbers.detach(), 1, i, 1); };
  Tensor y = x;
  if (policy.color) {
    const DType stat = accumulation_dtype(x.dtype());
    const auto factor = [&](int i, double scale, double low) {
      return reshape(column(i).to(stat) * scale + low, {x.size(0)});
    };
    y = adjust_color(y, {factor(0, 1, -0.5), factor(1, 2, 0), factor(2, 1, 0.5)});
  }
  if (policy.translation) {
    const int64_t down = part_of(x.size(2), 0.125), right = part_of(x.size(3), 0.125);
    y = translate(y,
                  cat({whole_numbers(column(3), -down, 2 * down + 1),
                       whole_numbers(column(4), -right, 2 * right + 1)},
                      1),
                  {x.size(2), x.size(3)});
  }
  if (policy.cutout) {
    const Pair size = {part_of(x.size(2), 0.5), part_of(x.size(3), 0.5)};
    const auto corner = [&](int i, int64_t length, int64_t cut) {
      return whole_numbers(column(i), -(cut / 2), length + 1 - cut % 2);
    };
    y = cutout(y, cat({corner(5, x.size(2), size[0]), corner(6, x.size(3), size[1])}, 1), size);
  }
  return y;
}

}  // namespace gestalt::nn
