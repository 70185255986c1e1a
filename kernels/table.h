#pragma once

// KernelTable: every kernel of a backend, one typed function pointer each.
//
// A new kernel is one line in GESTALT_KERNELS, a function of that name in cpu/ and one in cuda/,
// the latter with its name in cuda/own_kernels.h (in the last list where it calls a library), and
// an OpCase. The CPU has every entry; calling one that CUDA does not have throws
// "[conv2d_forward] no cuda kernel".
//
// Conventions, for every entry:
//  - The caller has checked shapes, dtypes and devices and allocated the outputs; outputs never
//    overlap inputs, except where "in place" is said (y may then be x itself, same strides).
//  - Inputs may have any strides, zero ones included, unless a format is said. Outputs have no zero
//    strides. "dense" means contiguous or channels_last, all 4-d arguments alike.
//  - Floating entries take f32, bf16, f16 (sums in f32) and, on the CPU, f64 (sums in f64). All
//    floating arguments have one dtype unless said otherwise; "stat" arguments are f32, or f64
//    where the data are f64.
//  - Optional views are pointers; null: absent. Empty outputs are allowed and touch nothing.
//  - The same inputs give the same bits, whatever the number of threads or the launch geometry.

#include <cstdint>
#include <span>
#include <utility>

#include "kernels/context.h"
#include "kernels/descriptors.h"
#include "kernels/error.h"
#include "kernels/philox.h"
#include "kernels/types.h"

namespace gestalt {

template <class Signature>
struct Kernel;

template <class... Args>
struct Kernel<void(Args...)> {
  using Function = void(Context&, Args...);

  const char* name = nullptr;
  Function* function = nullptr;

  explicit operator bool() const { return function != nullptr; }
  void operator()(Context& context, Args... args) const {
    GESTALT_CHECK(function != nullptr, "[{}] no {} kernel", name, to_string(context.device().type));
    function(context, args...);
  }
};

// One fused optimizer step works on many parameters at once. All views of one entry are contiguous
// and have the parameter's shape; the states are f32 (f64 for f64 parameters).
struct SgdParameter {
  View parameter, gradient;
  const View* momentum;  // null without momentum
};
struct AdamParameter {
  View parameter, gradient, first_moment, second_moment;
};
struct AveragedParameter {
  View parameter, average;  // the average is f32 (f64 for f64 parameters)
};

using UnaryKernel = void(const View& x, const View& y);                  // in place allowed
using ScalarKernel = void(const View& x, double scalar, const View& y);  // in place allowed
using BinaryKernel = void(const View& a, const View& b,
                          const View& y);  // in place on a or b allowed
using ReduceKernel = void(const View& x,
                          const View& y);  // y: x's rank, 1 at the reduced dimensions

// X(name, signature without the leading Context&)
#define GESTALT_KERNELS(X)                                                                         \
  /* ---- memory: any dtype, any strides ---- */                                                   \
  /* y = x converted to y's dtype (floats to integers truncate, saturate, NaN is 0). */            \
  X(copy, UnaryKernel)                                                                             \
  X(fill, void(double value, const View& y))                                                       \
  /* ---- elementwise, all views of one shape ---- */                                              \
  X(add, BinaryKernel)                                                                             \
  X(subtract, BinaryKernel)                                                                        \
  X(multiply, BinaryKernel)                                                                        \
  X(divide, BinaryKernel)                                                                          \
  /* y = the greater (smaller) of a and b, NaN where one is */                                     \
  X(maximum, BinaryKernel)                                                                         \
  X(minimum, BinaryKernel)                                                                         \
  /* y = a + scale * b; in place on a allowed */                                                   \
  X(add_scaled, void(const View& a, const View& b, double scale, const View& y))                   \
  X(add_scalar, ScalarKernel) /* i64 too, with a whole scalar */                                   \
  X(multiply_scalar, ScalarKernel)                                                                 \
  X(power_scalar, ScalarKernel)                                                                    \
  X(exp, UnaryKernel)                                                                              \
  X(log, UnaryKernel)                                                                              \
  X(sqrt, UnaryKernel)                                                                             \
  X(abs, UnaryKernel)                                                                              \
  X(sigmoid, UnaryKernel)                                                                          \
  X(tanh, UnaryKernel)                                                                             \
  X(relu, UnaryKernel) /* NaN stays NaN */                                                         \
  X(leaky_relu, ScalarKernel)                                                                      \
  X(clamp, void(const View& x, double low, double high, const View& y))                            \
  /* y (u8): 1 where the comparison holds, else 0, as wherever one is NaN; a, b: any one dtype */  \
  X(compare, void(const View& a, const View& b, Comparison comparison, const View& y))             \
  /* y = a where condition (u8) is not 0, else b; any dtype; in place on a or b allowed */         \
  X(where, void(const View& condition, const View& a, const View& b, const View& y))               \
  /* Gradients: dx from dy and the saved x or y; in place on dy allowed. */                        \
  X(power_scalar_backward, void(const View& dy, const View& x, double exponent, const View& dx))   \
  /* da = dy, half of it where a = b, 0 where a < b. b's gradient: swap a and b. minimum: a's from \
     (b, a), b's from (a, b). */                                                                   \
  X(maximum_backward, void(const View& dy, const View& a, const View& b, const View& da))          \
  X(sqrt_backward, void(const View& dy, const View& y, const View& dx))                            \
  X(abs_backward, void(const View& dy, const View& x, const View& dx)) /* 0 at x = 0 */            \
  X(sigmoid_backward, void(const View& dy, const View& y, const View& dx))                         \
  X(tanh_backward, void(const View& dy, const View& y, const View& dx))                            \
  X(relu_backward, void(const View& dy, const View& y, const View& dx)) /* dy where y > 0 */       \
  X(leaky_relu_backward, void(const View& dy, const View& x, double slope, const View& dx))        \
  X(clamp_backward,                                                                                \
    void(const View& dy, const View& x, double low, double high, const View& dx)) /* ends pass */  \
  /* ---- gated linear unit: x, dx [N,2C,H,W] dense, y, dy [N,C,H,W] of its format: the first half \
     of the channels times the sigmoid of the second ---- */                                       \
  X(glu_forward, UnaryKernel)                                                                      \
  X(glu_backward, void(const View& dy, const View& x, const View& dx))                             \
  /* ---- random: a pure function of (state, logical element index) ---- */                        \
  X(uniform, void(PhiloxState state, double low, double high, const View& y))                      \
  X(normal, void(PhiloxState state, double mean, double deviation, const View& y))                 \
  /* ---- reductions ---- */                                                                       \
  X(sum, void(const View& x, double scale, const View& y)) /* scale * sum, in f32 or wider */      \
  /* y[C] = the sums of x[N,C,H,W] over N, H, W */                                                 \
  X(sum_channels, void(const View& x, const View& y))                                              \
  X(max, ReduceKernel) /* NaN wins */                                                              \
  X(min, ReduceKernel) /* NaN wins */                                                              \
  X(argmax,                                                                                        \
    void(const View& x, int dim, const View& y)) /* y: i64, 1 at dim; lowest index of ties */      \
  /* y (stat, 1 element) = sum of a*b over all elements, accumulated in f64 */                     \
  X(dot, BinaryKernel)                                                                             \
  /* y (stat, 1 element) = sum of |a| (order 1) or the largest |a|, NaN wins (order 0) */          \
  X(absolute_norm, void(const View& a, int order, const View& y))                                  \
  /* y (stat, 1 element) = scale * sum of (a-b)^2 */                                               \
  X(squared_error, void(const View& a, const View& b, double scale, const View& y))                \
  /* da = 2 * scale * dy * (a-b); dy: stat, 1 element */                                           \
  X(squared_error_backward,                                                                        \
    void(const View& dy, const View& a, const View& b, double scale, const View& da))              \
  /* y (stat, 1 element) = scale * sum of |a-b| */                                                 \
  X(absolute_error, void(const View& a, const View& b, double scale, const View& y))               \
  /* da = scale * dy * sign(a-b), 0 at a = b; dy: stat, 1 element */                               \
  X(absolute_error_backward,                                                                       \
    void(const View& dy, const View& a, const View& b, double scale, const View& da))              \
  /* y = scale * sum of -target * log(p) - (1-target) * log(1-p), p = sigmoid(x); all stat, y of 1 \
     element */                                                                                    \
  X(binary_cross_entropy_forward,                                                                  \
    void(const View& x, const View& target, double scale, const View& y))                          \
  /* dx = scale * dy * (p - target) */                                                             \
  X(binary_cross_entropy_backward,                                                                 \
    void(const View& dy, const View& x, const View& target, double scale, const View& dx))         \
  /* ---- rows by their numbers: indices i64[K]; y has x's shape, but K at dim ---- */             \
  /* y[..., k, ...] = x[..., indices[k], ...]; any dtype. An index that x lacks is an Error on the \
     CPU; on a device its elements are NaN, or 0 in integers. */                                   \
  X(index_select_forward, void(const View& x, int dim, const View& indices, const View& y))        \
  /* dx[..., i, ...] = the sum of dy[..., k, ...] over the k with indices[k] = i, k rising */      \
  X(index_select_backward, void(const View& dy, int dim, const View& indices, const View& dx))     \
  /* ---- products: y[B,M,N] = alpha * a[B,M,K] b[B,K,N] + beta * y; a, b may be transposed by     \
     their strides or broadcast over B; with beta = 0, y is not read ---- */                       \
  X(matmul, void(const View& a, const View& b, double alpha, double beta, const View& y))          \
  /* ---- convolution: x[N,C,H,W] dense, w[O,C/groups,KH,KW] dense, bias[O], y[N,O,OH,OW] dense;   \
     conv2d_forward ends with desc.activation and desc.topk ---- */                                \
  X(conv2d_forward,                                                                                \
    void(const View& x, const View& w, const View* bias, const View& y, const Conv2dDesc& desc))   \
  X(conv2d_backward_data,                                                                          \
    void(const View& dy, const View& w, const View& dx, const Conv2dDesc& desc))                   \
  X(conv2d_backward_weights,                                                                       \
    void(const View& dy, const View& x, const View& dw, const Conv2dDesc& desc))                   \
  /* ---- pooling, padding, resizing: dense, x[N,C,H,W], y[N,C,OH,OW] ---- */                      \
  /* indices: u8 or i64, contiguous in y's format, kh*KW + kw of the first maximum in row order in \
     its window, padding counted; forward: may be null; NaN wins */                                \
  X(max_pool2d_forward,                                                                            \
    void(const View& x, const View& y, const View* indices, const Pool2dDesc& desc))               \
  X(max_pool2d_backward,                                                                           \
    void(const View& dy, const View& indices, const View& dx, const Pool2dDesc& desc))             \
  X(avg_pool2d_forward, void(const View& x, const View& y, const Pool2dDesc& desc))                \
  X(avg_pool2d_backward, void(const View& dy, const View& dx, const Pool2dDesc& desc))             \
  X(adaptive_avg_pool2d_forward, UnaryKernel)                                                      \
  X(adaptive_avg_pool2d_backward, UnaryKernel) /* (dy, dx) */                                      \
  X(reflection_pad2d_forward, void(const View& x, const View& y, const Padding2d& padding))        \
  X(reflection_pad2d_backward, void(const View& dy, const View& dx, const Padding2d& padding))     \
  X(resize_nearest_forward, UnaryKernel)                                                           \
  X(resize_nearest_backward, UnaryKernel) /* (dy, dx) */                                           \
  X(resize_bilinear_forward, void(const View& x, const View& y, const ResizeDesc& desc))           \
  X(resize_bilinear_backward, void(const View& dy, const View& dx, const ResizeDesc& desc))        \
  /* ---- augmentation: x, y [N,C,H,W] dense ---- */                                               \
  /* y = contrast * (saturation * (x - m) + m - M) + M + brightness, m: mean of x over C at each   \
     pixel, M = mean[n]; brightness (null: 0), saturation, contrast stat[N]; mean [N] of x's dtype \
   */                                                                                              \
  X(adjust_color, void(const View& x, const View* brightness, const View& saturation,              \
                       const View& contrast, const View& mean, const View& y))                     \
  /* y[n,c,h,w] = x[n,c,h + offsets[n,0],w + offsets[n,1]], 0 outside of x; y's H, W may be others \
     than x's; offsets: i64[N,2] */                                                                \
  X(translate_forward, void(const View& x, const View& offsets, const View& y))                    \
  X(translate_backward, void(const View& dy, const View& offsets, const View& dx))                 \
  /* y = x, 0 in the rectangle of that size at corners[n], i64[N,2], which may reach outside */    \
  X(cutout, void(const View& x, const View& corners, const Pair& size, const View& y))             \
  /* ---- batch norm: x, y [N,C,H,W] dense or [N,C]; weight, bias, statistics stat[C]; forward     \
     entries end with desc.activation and desc.topk (for [N,C,H,W]) ---- */                        \
  /* residual: as x, added before the activation (not with desc.topk), or null; saved_mean,        \
     saved_inverse_std: stat[C], written; running_*: updated in place, or null */                  \
  X(batch_norm_training,                                                                           \
    void(const View& x, const View& weight, const View& bias, const View* residual,                \
         const View* running_mean, const View* running_variance, const View& y,                    \
         const View& saved_mean, const View& saved_inverse_std, const BatchNormDesc& desc))        \
  X(batch_norm_inference,                                                                          \
    void(const View& x, const View& weight, const View& bias, const View* residual,                \
         const View& running_mean, const View& running_variance, const View& y,                    \
         const BatchNormDesc& desc))                                                               \
  /* Gradient of the training form; dx, dweight, dbias: each may be null. relu_output: null, or    \
     the y of a forward pass with activation: dy counts where it is > 0, and as 0 elsewhere. */    \
  X(batch_norm_backward,                                                                           \
    void(const View& dy, const View* relu_output, const View& x, const View& weight,               \
         const View& saved_mean, const View& saved_inverse_std, const View* dx,                    \
         const View* dweight, const View* dbias))                                                  \
  /* ---- Top-K over rows (n, c) of H*W; x, y dense [N,C,H,W] ---- */                              \
  /* mask: u8 [N*C, ceil(H*W/32)*4] contiguous, bit i of a row (little-endian): element i = h*W +  \
     w is passed on; padding bits 0; 4-byte aligned; may be null. */                               \
  X(topk_forward, void(const View& x, const View& y, const View* mask, const TopKDesc& desc))      \
  X(topk_backward, void(const View& dy, const View& mask, const View& dx, const TopKDesc& desc))   \
  /* y = topk(relu(x + bias)): bias [C], of x's dtype, or null; each step rounded to that dtype;   \
     tau is 1. Its gradient is relu_backward(dy, y). In place allowed. */                          \
  X(relu_topk_forward, void(const View& x, const View* bias, const View& y, const TopKDesc& desc)) \
  /* Top k by signed value, each replaced by their mean; k from desc, mode and tau unused. */      \
  X(topk_mean_replace_forward,                                                                     \
    void(const View& x, const View& y, const View& mask, const TopKDesc& desc))                    \
  X(topk_mean_replace_backward,                                                                    \
    void(const View& dy, const View& mask, const View& dx, const TopKDesc& desc))                  \
  /* ---- Gram: x[B,R,L], contiguous; y[B,R,R] = scale * x x^T (symmetric to the bit) ---- */      \
  X(gram_forward, void(const View& x, double scale, const View& y))                                \
  /* dx = scale * (dy + dy^T) x */                                                                 \
  X(gram_backward, void(const View& dy, const View& x, double scale, const View& dx))              \
  /* ---- channel statistics: x[N,C,H,W] dense; mean, deviation stat[N,C]; deviation =             \
     sqrt(unbiased variance + epsilon), stable for large offsets ---- */                           \
  X(channel_stats_forward,                                                                         \
    void(const View& x, double epsilon, const View& mean, const View& deviation))                  \
  /* dmean, ddeviation: stat[N,C], either may be null */                                           \
  X(channel_stats_backward, void(const View* dmean, const View* ddeviation, const View& x,         \
                                 const View& mean, const View& deviation, const View& dx))         \
  /* y = (x - mean) / deviation * style_deviation + style_mean; statistics, stat[N,C], as          \
     channel_stats_forward finds them: x's are outputs; the style's too where style is an array    \
     [N,C,H',W'] (dense, floating), and inputs where it is null. */                                \
  X(adain_forward, void(const View& x, const View* style, double epsilon, const View& mean,        \
                        const View& deviation, const View& style_mean,                             \
                        const View& style_deviation, const View& y))                               \
  /* Gradients to content (through its own statistics) and to the style's statistics (stat[N,C]);  \
     each may be null. */                                                                          \
  X(adain_backward, void(const View& dy, const View& x, const View& mean, const View& deviation,   \
                         const View& style_deviation, const View* dx, const View* dstyle_mean,     \
                         const View* dstyle_deviation))                                            \
  /* ---- perceptual distance: a, b, da [N,C,H,W] dense, weight stat[C] contiguous, y, dy stat[N]  \
     contiguous ---- */                                                                            \
  /* y[n] = scale * sum over h, w, c of weight[c] * (a / |a| - b / |b|)^2, |a| the length over c   \
     of each pixel: sqrt(sum of a^2 + epsilon^2) + epsilon */                                      \
  X(unit_distance_forward, void(const View& a, const View& b, const View& weight, double epsilon,  \
                                double scale, const View& y))                                      \
  /* Gradient to a. */                                                                             \
  X(unit_distance_backward, void(const View& dy, const View& a, const View& b, const View& weight, \
                                 double epsilon, double scale, const View& da))                    \
  /* ---- spectral norm: w, dw [R,...] dense, of K elements a row; y, dy of w's format, and of its \
     dtype or, with f32 w, of 16 bits; u, left stat[R], v, right stat[K] contiguous, v in the      \
     logical order of a row, right in that of its memory; sigma stat, 1 element ---- */            \
  /* u and v are moved on in place by that many power iterations; left and right are what they are \
     then; sigma = left^T w right; y = w / sigma. Lengths are at least epsilon. */                 \
  X(spectral_norm_forward,                                                                         \
    void(const View& w, const View& u, const View& v, int iterations, double epsilon,              \
         const View& left, const View& right, const View& sigma, const View& y))                   \
  /* Gradient to w, left and right being constants. */                                             \
  X(spectral_norm_backward, void(const View& dy, const View& y, const View& left,                  \
                                 const View& right, const View& sigma, const View& dw))            \
  /* ---- classification: rows [N,C] contiguous ---- */                                            \
  X(softmax_forward, UnaryKernel)                                                                  \
  X(softmax_backward, void(const View& dy, const View& y, const View& dx))                         \
  X(log_softmax_forward, UnaryKernel)                                                              \
  X(log_softmax_backward, void(const View& dy, const View& y, const View& dx))                     \
  /* loss (stat, 1 element) = -scale * sum over n of [(1-e) logp[n,target] + e/C sum_c logp[n,c]], \
     e = label_smoothing; target: i64[N] */                                                        \
  X(nll_forward, void(const View& log_probabilities, const View& target, double scale,             \
                      double label_smoothing, const View& loss))                                   \
  /* Gradient of nll(log_softmax(logits)) to the logits; dloss: stat, 1 element */                 \
  X(cross_entropy_backward,                                                                        \
    void(const View& dloss, const View& log_probabilities, const View& target, double scale,       \
         double label_smoothing, const View& dlogits))                                             \
  /* ---- optimizers ---- */                                                                       \
  X(sgd_step, void(std::span<const SgdParameter> parameters, const SgdDesc& desc))                 \
  X(adam_step, void(std::span<const AdamParameter> parameters, const AdamDesc& desc))              \
  /* average = decay * average + (1 - decay) * parameter */                                        \
  X(average_step, void(std::span<const AveragedParameter> parameters, double decay))

struct KernelTable {
#define GESTALT_KERNEL_MEMBER(name, ...) Kernel<__VA_ARGS__> name{#name};
  GESTALT_KERNELS(GESTALT_KERNEL_MEMBER)
#undef GESTALT_KERNEL_MEMBER
};

// Calls f(kernel) for every entry, in the order of the list. f takes `auto&`.
template <class Table, class F>
void for_each_kernel(Table& table, F&& f) {
#define GESTALT_KERNEL_VISIT(name, ...) f(table.name);
  GESTALT_KERNELS(GESTALT_KERNEL_VISIT)
#undef GESTALT_KERNEL_VISIT
}

}  // namespace gestalt
