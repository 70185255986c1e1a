#pragma once

// Modules over the functional ops, with PyTorch's parameter names, shapes and default
// initialization.
//
// weight(), bias(), ...: a layer keeps its tensors, which optimizers and averages hold too, so no
// other can be assigned. Other values: `layer.weight().copy_(values)` under NoGradGuard, or
// set_data.

#include <optional>

#include "kernels/descriptors.h"
#include "nn/batch_norm.h"
#include "nn/conv_transpose.h"
#include "nn/module.h"
#include "tensor/random.h"

namespace gestalt::nn {

template <class Desc>
struct ConvOptions {
  int64_t in_channels = 0, out_channels = 0;
  Pair kernel{3, 3};
  Desc desc = {};
  bool bias = true;
};
using Conv2dOptions = ConvOptions<Conv2dDesc>;
using ConvTranspose2dOptions = ConvOptions<ConvTranspose2dDesc>;

// weight [out, in/groups, kh, kw], bias [out]; drawn as PyTorch's default, U(+-1/sqrt(fan_in)).

class Conv2d : public Module {
 public:
  Conv2d(const Conv2dOptions& options, Generator& generator);
  Tensor forward(const Tensor& x) override { return forward(x, options_.desc.activation); }
  Tensor forward(const Tensor& x, Activation activation);
  // topk(relu(forward(x))) in one.
  Tensor forward_relu_topk(const Tensor& x, double fraction, TopKMode mode);
  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }  // undefined without bias

 private:
  Conv2dOptions options_;
  Tensor weight_, bias_;
};

// Transposed convolution (nn/conv_transpose.h): weight [in, out/groups, kh, kw], bias [out]; drawn
// as PyTorch's default, which takes out/groups * kh * kw for the fan-in.
class ConvTranspose2d : public Module {
 public:
  ConvTranspose2d(const ConvTranspose2dOptions& options, Generator& generator);
  Tensor forward(const Tensor& x) override;
  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }  // undefined without bias

 private:
  ConvTranspose2dDesc desc_;
  Tensor weight_, bias_;
};

// y = x weight^T + bias, drawn as PyTorch's default; weight [out, in], bias [out].
class Linear : public Module {
 public:
  Linear(int64_t in_features, int64_t out_features, Generator& generator, bool bias = true);
  Tensor forward(const Tensor& x) override;
  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }  // undefined without bias

 private:
  Tensor weight_, bias_;
};

class ReLU : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

class MaxPool2d : public Module {
 public:
  explicit MaxPool2d(const Pool2dDesc& desc) : desc_(desc) {}
  Tensor forward(const Tensor& x) override;

 private:
  Pool2dDesc desc_;
};

class AvgPool2d : public Module {
 public:
  explicit AvgPool2d(const Pool2dDesc& desc) : desc_(desc) {}
  Tensor forward(const Tensor& x) override;

 private:
  Pool2dDesc desc_;
};

class AdaptiveAvgPool2d : public Module {
 public:
  explicit AdaptiveAvgPool2d(const Pair& output) : output_(output) {}
  Tensor forward(const Tensor& x) override;

 private:
  Pair output_;
};

class ConstantPad2d : public Module {
 public:
  explicit ConstantPad2d(const Padding2d& padding, double value = 0)
      : padding_(padding), value_(value) {}
  Tensor forward(const Tensor& x) override;

 private:
  Padding2d padding_;
  double value_;
};

class ReflectionPad2d : public Module {
 public:
  explicit ReflectionPad2d(int64_t padding) : padding_(padding) {}
  Tensor forward(const Tensor& x) override;

 private:
  int64_t padding_;  // on every side
};

// Nearest, by a whole factor.
class Upsample : public Module {
 public:
  explicit Upsample(int64_t factor) : factor_(factor) {}
  Tensor forward(const Tensor& x) override;

 private:
  int64_t factor_;
};

// Batch norm over N, H, W of x [N,C,H,W] or [N,C]: by the batch's statistics in training, by the
// running ones in evaluation (nn/batch_norm.h). weight, bias, running_mean, running_var [C] and
// num_batches_tracked; files from before the last one existed load too.
class BatchNorm2d : public Module {
 public:
  explicit BatchNorm2d(int64_t channels, const BatchNormDesc& desc = {});
  Tensor forward(const Tensor& x) override { return forward(x, desc_.activation); }
  // Of forward(x), or of forward(x) + residual where that is defined.
  Tensor forward(const Tensor& x, Activation activation, const Tensor& residual = {});
  // topk(relu(forward(x))) in one.
  Tensor forward_relu_topk(const Tensor& x, double fraction, TopKMode mode);
  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }
  const Tensor& running_mean() const { return running_mean_; }
  const Tensor& running_variance() const { return running_variance_; }

 private:
  Tensor forward(const Tensor& x, const BatchNormDesc& desc, const Tensor& residual = {});
  void count_batch();

  BatchNormDesc desc_;
  Tensor weight_, bias_, running_mean_, running_variance_;
  Tensor batches_;  // i64, rank 0
};

// Spatial Top-K (nn/topk.h) as a layer. It has no parameters, so it may stand anywhere without
// changing a state dict. A method is one of topk()'s modes (TopKMode) or topk_mean_replace(), an op
// of its own.
enum class TopKMethod { keep, reverse, mean_replace };

class TopK : public Module {
 public:
  explicit TopK(double fraction, TopKMethod method = TopKMethod::keep);
  Tensor forward(const Tensor& x) override;
  double fraction() const { return fraction_; }
  void set_fraction(double fraction);
  bool is_identity() const { return fraction_ == 1; }  // in every mode
  // Of topk(); none: mean_replace.
  std::optional<TopKMode> mode() const;

 private:
  double fraction_;
  TopKMethod method_;
};

// [N, ...] to [N, rest].
class Flatten : public Module {
 public:
  Tensor forward(const Tensor& x) override;
};

}  // namespace gestalt::nn
