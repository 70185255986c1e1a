#include "nn/spectral_norm.h"

#include <limits>

#include "kernels/error.h"
#include "nn/conv.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::nn {
namespace {

// [rows, columns], rows being the weight's dimension `dim`.
Tensor as_matrix(const Tensor& weight, int dim) {
  const Tensor rows_first = dim == 0 ? weight : transpose(weight, 0, dim);
  return reshape(rows_first, {weight.size(dim), -1});
}

// Everything stays on the device: no norm is read back.
Tensor unit(const Tensor& x, double epsilon) {
  return x / clamp(sqrt(sum(x * x)), epsilon, std::numeric_limits<double>::infinity());
}

Tensor unit_normal(int64_t size, double epsilon, Generator& generator) {
  return unit(generator.normal({size}), epsilon);
}

}  // namespace

Tensor spectral_normalize(const Tensor& weight, Tensor& u, Tensor& v, const SpectralNormDesc& desc,
                          bool update) {
  GESTALT_CHECK(desc.dim == 0 || (desc.dim == 1 && weight.rank() > 1),
                "[spectral_norm] dim must be 0 or 1, got {} (weight {})", desc.dim, weight);
  const Tensor matrix = as_matrix(weight, desc.dim);
  const int64_t rows = matrix.size(0), columns = matrix.size(1);
  GESTALT_CHECK(u.shape() == Shape{rows} && v.shape() == Shape{columns},
                "[spectral_norm] expected u [{}] and v [{}], got {} and {} (weight {})", rows,
                columns, u, v, weight);
  Tensor left = reshape(u, {rows, 1}).clone(), right = reshape(v, {columns, 1}).clone();
  if (update) {
    const NoGradGuard no_grad;
    const Tensor constant = matrix.detach();
    for (int i = 0; i < desc.iterations; ++i) {
      right = unit(matmul(transpose(constant, 0, 1), left), desc.epsilon);
      left = unit(matmul(constant, right), desc.epsilon);
    }
    u.copy_(reshape(left, {rows}));
    v.copy_(reshape(right, {columns}));
  }
  const Tensor sigma = sum(left * matmul(matrix, right));
  return weight / sigma;
}

SpectralWeight::SpectralWeight(Tensor weight, const SpectralNormDesc& desc, Generator& generator)
    : desc_(desc) {
  const int64_t rows = weight.size(desc.dim), columns = weight.numel() / rows;
  register_parameter("weight_orig", weight_, std::move(weight));
  register_buffer("weight_u", u_, unit_normal(rows, desc.epsilon, generator));
  register_buffer("weight_v", v_, unit_normal(columns, desc.epsilon, generator));
}

Tensor SpectralWeight::normalized() {
  return spectral_normalize(weight_, u_, v_, desc_, is_training());
}

SpectralConv2d::SpectralConv2d(const SpectralConv2dOptions& options, Generator& generator)
    : SpectralWeight(
          generator.normal({options.out_channels, options.in_channels / options.desc.groups,
                            options.kernel[0], options.kernel[1]},
                           0, options.deviation),
          {}, generator),
      desc_(options.desc) {}

Tensor SpectralConv2d::forward(const Tensor& x) {
  return conv2d(x, normalized(), {}, desc_);
}

SpectralConvTranspose2d::SpectralConvTranspose2d(const SpectralConvTranspose2dOptions& options,
                                                 Generator& generator)
    : SpectralWeight(
          generator.normal({options.in_channels, options.out_channels / options.desc.groups,
                            options.kernel[0], options.kernel[1]},
                           0, options.deviation),
          {.dim = 1}, generator),
      desc_(options.desc) {}

Tensor SpectralConvTranspose2d::forward(const Tensor& x) {
  return conv_transpose2d(x, normalized(), {}, desc_);
}

}  // namespace gestalt::nn
