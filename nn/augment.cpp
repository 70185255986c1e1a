#include "nn/augment.h"

#include <algorithm>

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/linear_gradient.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/optional_view.h"

namespace gestalt::nn {
namespace {

void check_images(const char* op, const Tensor& x) {
  GESTALT_CHECK(x.rank() == 4 && is_floating(x.dtype()), "[{}] expected floating [N,C,H,W], got {}",
                op, x);
}

void check_positions(const char* op, const Tensor& x, const Tensor& positions) {
  GESTALT_CHECK(positions.dtype() == DType::i64 && positions.shape() == Shape({x.size(0), 2}) &&
                    positions.device() == x.device(),
                "[{}] expected positions i64[{},2] on {}, got {} on {}", op, x.size(0), x.device(),
                positions, positions.device());
}

// brightness undefined: 0. The map is linear but for the brightness, and symmetric.
Tensor run_adjust_color(const Tensor& x, const Tensor& brightness, const Tensor& saturation,
                        const Tensor& contrast) {
  Context& ctx = context(x.device());
  const int64_t values = x.numel() / std::max<int64_t>(x.size(0), 1);
  Tensor mean = Tensor::empty({x.size(0), 1, 1, 1}, {x.dtype(), x.device()});
  ctx.kernels().sum(ctx, x.view(), 1 / static_cast<double>(std::max<int64_t>(values, 1)),
                    mean.view());
  Tensor y = Tensor::empty(x.shape(), x.options());
  ctx.kernels().adjust_color(ctx, x.view(), OptionalView(brightness), saturation.view(),
                             contrast.view(), mean.view(), y.view());
  return y;
}

class AdjustColorNode : public Node {
 public:
  explicit AdjustColorNode(const ColorFactors& factors) {
    save("saturation", factors.saturation);
    save("contrast", factors.contrast);
  }
  const char* name() const override { return "adjust_color"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    return {run_adjust_color(grad_outputs[0].dense(), {}, saved("saturation"), saved("contrast"))};
  }
};

Tensor run_cutout(const Tensor& x, const Tensor& corners, Pair size) {
  Tensor y = Tensor::empty(x.shape(), x.options());
  Context& ctx = context(x.device());
  ctx.kernels().cutout(ctx, x.view(), corners.view(), size, y.view());
  return y;
}

class CutoutNode : public Node {
 public:
  CutoutNode(const Tensor& corners, Pair size) : size_(size) { save("corners", corners); }
  const char* name() const override { return "cutout"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    return {run_cutout(grad_outputs[0].dense(), saved("corners"), size_)};
  }

 private:
  Pair size_;
};

}  // namespace

Tensor adjust_color(const Tensor& x, const ColorFactors& factors) {
  constexpr const char* op = "adjust_color";
  check_images(op, x);
  const DType stat = accumulation_dtype(x.dtype());
  for (const Tensor* factor : {&factors.brightness, &factors.saturation, &factors.contrast}) {
    GESTALT_CHECK(factor->shape() == Shape{x.size(0)} && factor->dtype() == stat &&
                      factor->device() == x.device(),
                  "[{}] expected factors {}[{}] on {}, got {} on {}", op, to_string(stat),
                  x.size(0), x.device(), *factor, factor->device());
  }
  const Tensor y = run_adjust_color(x.detach().dense(), factors.brightness, factors.saturation,
                                    factors.contrast);
  if (needs_grad({x})) attach(std::make_shared<AdjustColorNode>(factors), {x}, {y});
  return y;
}

Tensor translate(const Tensor& x, const Tensor& offsets, Pair size) {
  check_images("translate", x);
  check_positions("translate", x, offsets);
  GESTALT_CHECK(size[0] >= 0 && size[1] >= 0, "[translate] sizes must not be negative, got {} {}",
                size[0], size[1]);
  Tensor y = Tensor::empty({x.size(0), x.size(1), size[0], size[1]}, x.options());
  Context& ctx = context(x.device());
  ctx.kernels().translate_forward(ctx, x.detach().dense().view(), offsets.view(), y.view());
  attach_linear("translate", x, y, {"offsets", offsets}, &KernelTable::translate_backward);
  return y;
}

Tensor cutout(const Tensor& x, const Tensor& corners, Pair size) {
  check_images("cutout", x);
  check_positions("cutout", x, corners);
  GESTALT_CHECK(size[0] >= 0 && size[1] >= 0, "[cutout] sizes must not be negative, got {} {}",
                size[0], size[1]);
  const Tensor y = run_cutout(x.detach().dense(), corners, size);
  if (needs_grad({x})) attach(std::make_shared<CutoutNode>(corners, size), {x}, {y});
  return y;
}

}  // namespace gestalt::nn
