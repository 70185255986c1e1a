#pragma once

// The parameters of the kernels that have more than their views. Plain data with the field's
// defaults.

#include <array>
#include <cstdint>
#include <optional>

namespace gestalt {

using Pair = std::array<int64_t, 2>;  // {height, width}

// Less is greater with the two swapped.
enum class Comparison : uint8_t { greater, greater_equal, equal };

enum class TopKMode : uint8_t { keep, reverse };

// See topk in nn/topk.h for the semantics.
struct TopKDesc {
  int64_t k = 1;  // of each row of H*W values, 1 <= k <= H*W
  TopKMode mode = TopKMode::keep;
  float tau = 1.0f;  // y = tau * sparse + (1 - tau) * x
};

enum class Activation : uint8_t { none, relu };

// Top-K that a layer applies behind its ReLU, with tau = 1. Then the gradient passes exactly where
// y > 0, and no mask is kept. The selection is among values rounded to y's dtype, so that the
// result is the one of separate ops, bit for bit.
using FusedTopK = std::optional<TopKDesc>;

struct Conv2dDesc {
  Pair stride{1, 1};
  Pair padding{0, 0};
  Pair dilation{1, 1};
  int64_t groups = 1;
  // Applied after the bias, forward only: first the activation, then Top-K of the rectified values.
  Activation activation = Activation::none;
  FusedTopK topk = std::nullopt;
};

struct Pool2dDesc {
  Pair kernel{2, 2};
  Pair stride = kernel;
  Pair padding{0, 0};
  bool ceil_mode = false;
  bool count_include_pad = true;  // average pooling only
};

struct Padding2d {
  int64_t left = 0, right = 0, top = 0, bottom = 0;
};

// Source coordinate of output index i for bilinear resizing, as in PyTorch:
// align_corners: i * (in - 1) / (out - 1); otherwise (i + .5) / scale - .5, clamped at 0.
struct ResizeDesc {
  bool align_corners = false;
};

struct BatchNormDesc {
  double epsilon = 1e-5;
  double momentum = 0.1;
  // Applied to the result, forward only.
  Activation activation = Activation::none;
  FusedTopK topk = std::nullopt;
};

struct SgdDesc {
  double learning_rate = 0;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
  bool first_step = false;  // the momentum buffer is set, not updated
};

struct AdamDesc {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled_weight_decay = false;  // AdamW
  int64_t step = 1;                     // from 1, for the bias corrections
};

}  // namespace gestalt
