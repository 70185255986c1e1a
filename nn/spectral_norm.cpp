#include "nn/spectral_norm.h"

#include <limits>

#include "kernels/error.h"
#include "kernels/table.h"
#include "nn/autocast.h"
#include "nn/conv.h"
#include "nn/init.h"
#include "nn/linear.h"
#include "nn/weight_shape.h"
#include "tensor/accumulation.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::nn {
namespace {

Tensor unit_normal(int64_t size, double epsilon, Generator& generator) {
  const Tensor x = generator.normal({size});
  return x / clamp(sqrt(sum(x * x)), epsilon, std::numeric_limits<double>::infinity());
}

class SpectralNormNode : public Node {
 public:
  SpectralNormNode(const Tensor& y, const Tensor& left, const Tensor& right, const Tensor& sigma,
                   DType dtype)
      : dtype_(dtype) {
    save("y", y);
    save("left", left);
    save("right", right);
    save("sigma", sigma);
  }
  const char* name() const override { return "spectral_norm"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& y = saved("y");
    const Tensor dy = grad_outputs[0].contiguous(y.format());
    Tensor dw = Tensor::empty(y.shape(), {dtype_, y.device(), y.format()});
    Context& ctx = context(y.device());
    ctx.kernels().spectral_norm_backward(ctx, dy.view(), y.view(), saved("left").view(),
                                         saved("right").view(), saved("sigma").view(), dw.view());
    return {dw};
  }

 private:
  DType dtype_;  // of the weight
};

// The rows are the first dimension.
Tensor normalize_rows(const Tensor& given, Tensor& u, Tensor& v, const SpectralNormDesc& desc,
                      bool update) {
  const Tensor weight = given.detach().dense();
  const TensorOptions stat = u.options();
  Tensor left = Tensor::empty(u.shape(), stat), right = Tensor::empty(v.shape(), stat),
         sigma = Tensor::empty({1}, stat),
         y = Tensor::empty(weight.shape(),
                           {autocast_dtype(weight), weight.device(), weight.format()});
  Context& ctx = context(weight.device());
  ctx.kernels().spectral_norm_forward(ctx, weight.view(), u.view(), v.view(),
                                      update ? desc.iterations : 0, desc.epsilon, left.view(),
                                      right.view(), sigma.view(), y.view());
  if (update) {
    u.bump_version();
    v.bump_version();
  }
  if (needs_grad({given})) {
    attach(std::make_shared<SpectralNormNode>(y, left, right, sigma, weight.dtype()), {given}, {y});
  }
  return y;
}

}  // namespace

Tensor spectral_normalize(const Tensor& weight, Tensor& u, Tensor& v, const SpectralNormDesc& desc,
                          bool update) {
  GESTALT_CHECK(weight.rank() > desc.dim && (desc.dim == 0 || desc.dim == 1),
                "[spectral_normalize] dim must be 0 or 1, got {} (weight {})", desc.dim, weight);
  const int64_t rows = weight.size(desc.dim), columns = rows > 0 ? weight.numel() / rows : 0;
  const DType stat = accumulation_dtype(weight.dtype());
  for (const auto& [vector, size] : {std::pair(&u, rows), std::pair(&v, columns)}) {
    GESTALT_CHECK(
        vector->shape() == Shape{size} && vector->dtype() == stat &&
            vector->device() == weight.device() && vector->is_contiguous(),
        "[spectral_normalize] expected u {}[{}] and v {}[{}], contiguous, on {}, got {} on {} "
        "and {} on {} (weight {})",
        to_string(stat), rows, to_string(stat), columns, weight.device(), u, u.device(), v,
        v.device(), weight);
  }
  if (desc.dim == 0) return normalize_rows(weight, u, v, desc, update);
  return transpose(normalize_rows(transpose(weight, 0, 1), u, v, desc, update), 0, 1);
}

SpectralWeight::SpectralWeight(const Initial& initial, const SpectralNormDesc& desc,
                               Generator& generator)
    : desc_(desc) {
  const Shape& shape = initial.weight;
  const int64_t rows = shape[desc.dim], columns = shape.numel() / rows;
  const int64_t fan_in = shape.numel() / shape[0];  // as PyTorch counts it, transposed or not
  Tensor weight = Tensor::empty(shape);
  if (initial.deviation) {
    init_normal(weight, 0, *initial.deviation, generator);
  } else {
    init_fan_in_uniform(weight, fan_in, generator);
  }
  if (initial.bias > 0) {
    Tensor bias = Tensor::empty({initial.bias});
    init_fan_in_uniform(bias, fan_in, generator);
    register_parameter("bias", bias_, std::move(bias));
  }
  register_parameter("weight_orig", weight_, std::move(weight));
  register_buffer("weight_u", u_, unit_normal(rows, desc.epsilon, generator));
  register_buffer("weight_v", v_, unit_normal(columns, desc.epsilon, generator));
}

Tensor SpectralWeight::normalized() {
  return spectral_normalize(weight_, u_, v_, desc_, is_training());
}

SpectralConv2d::SpectralConv2d(const SpectralConv2dOptions& options, Generator& generator)
    : SpectralWeight(
          {conv_weight_shape("SpectralConv2d", options, options.out_channels, options.in_channels),
           options.bias ? options.out_channels : 0, options.deviation},
          {0, options.iterations, options.epsilon}, generator),
      desc_(options.desc) {}

Tensor SpectralConv2d::forward(const Tensor& x) {
  return conv2d(x, normalized(), bias(), desc_);
}

SpectralConvTranspose2d::SpectralConvTranspose2d(const SpectralConvTranspose2dOptions& options,
                                                 Generator& generator)
    : SpectralWeight({conv_weight_shape("SpectralConvTranspose2d", options, options.in_channels,
                                        options.out_channels),
                      options.bias ? options.out_channels : 0, options.deviation},
                     {1, options.iterations, options.epsilon}, generator),
      desc_(options.desc) {}

Tensor SpectralConvTranspose2d::forward(const Tensor& x) {
  return conv_transpose2d(x, normalized(), bias(), desc_);
}

SpectralLinear::SpectralLinear(const SpectralLinearOptions& options, Generator& generator)
    : SpectralWeight(
          {linear_weight_shape("SpectralLinear", options.in_features, options.out_features),
           options.bias ? options.out_features : 0, options.deviation},
          {0, options.iterations, options.epsilon}, generator) {}

Tensor SpectralLinear::forward(const Tensor& x) {
  return linear(x, normalized(), bias());
}

}  // namespace gestalt::nn
