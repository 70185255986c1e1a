#pragma once

// Spectral normalization (Miyato et al. 2018), as torch.nn.utils.spectral_norm: a weight divided by
// an estimate of its largest singular value, which power iteration follows from step to step.

#include <optional>

#include "kernels/descriptors.h"
#include "nn/conv_transpose.h"
#include "nn/module.h"
#include "tensor/random.h"

namespace gestalt::nn {

struct SpectralNormDesc {
  int dim = 0;  // of the weight, the rows of the matrix: 0, or 1 for transposed convolutions
  int iterations = 1;
  double epsilon = 1e-12;
};

// weight / sigma with sigma = u^T W v, W [rows, columns] the weight with `dim` first. u [rows] and
// v [columns] are unit vectors and constants to the gradient. With `update` they are first moved on
// in place by power iterations; the result does not share their memory. u and v: f32 (f64 with f64
// weights), contiguous. Under an AutocastGuard the result of f32 weights has its dtype.
Tensor spectral_normalize(const Tensor& weight, Tensor& u, Tensor& v, const SpectralNormDesc& desc,
                          bool update);

// A weight with PyTorch's names: parameter weight_orig, buffers weight_u, weight_v, and in front of
// them, as PyTorch counts parameters, the bias where there is one; a base of the layers below.
class SpectralWeight : public Module {
 protected:
  struct Initial {
    Shape weight;
    int64_t bias = 0;                 // elements; 0: no bias
    std::optional<double> deviation;  // see SpectralConvOptions
  };
  // u and v are drawn from the standard normal distribution.
  SpectralWeight(const Initial& initial, const SpectralNormDesc& desc, Generator& generator);
  Tensor normalized();  // moves u and v in training
  const Tensor& bias() const { return bias_; }

 private:
  SpectralNormDesc desc_;
  Tensor bias_, weight_, u_, v_;
};

// Layers whose weight is normalized. Weights are drawn from N(0, deviation), or, without one, as
// PyTorch's default, U(+-1/sqrt(fan_in)), which the bias is drawn from in either case. iterations
// and epsilon as in SpectralNormDesc.
template <class Desc>
struct SpectralConvOptions {
  int64_t in_channels = 0, out_channels = 0;
  Pair kernel{3, 3};
  Desc desc{};
  std::optional<double> deviation = 0.02;
  bool bias = false;
  int iterations = 1;
  double epsilon = 1e-12;
};
using SpectralConv2dOptions = SpectralConvOptions<Conv2dDesc>;
using SpectralConvTranspose2dOptions = SpectralConvOptions<ConvTranspose2dDesc>;

class SpectralConv2d : public SpectralWeight {
 public:
  SpectralConv2d(const SpectralConv2dOptions& options, Generator& generator);
  Tensor forward(const Tensor& x) override;

 private:
  Conv2dDesc desc_;
};

class SpectralConvTranspose2d : public SpectralWeight {
 public:
  SpectralConvTranspose2d(const SpectralConvTranspose2dOptions& options, Generator& generator);
  Tensor forward(const Tensor& x) override;

 private:
  ConvTranspose2dDesc desc_;
};

struct SpectralLinearOptions {
  int64_t in_features = 0, out_features = 0;
  std::optional<double> deviation = {};
  bool bias = true;
  int iterations = 1;
  double epsilon = 1e-12;
};

class SpectralLinear : public SpectralWeight {
 public:
  SpectralLinear(const SpectralLinearOptions& options, Generator& generator);
  Tensor forward(const Tensor& x) override;
};

}  // namespace gestalt::nn
