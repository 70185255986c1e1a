// Which algorithm a convolution takes: a rule of shapes, strides, dtype and Context::exact() alone,
// and of the processor, so that a run repeats bit for bit. In order: Winograd, 1x1 without a change
// of layout, oneDNN's direct convolution, plain loops; bf16 and f16 are computed in f32 from
// converted copies.

#include <algorithm>
#include <optional>

#include "kernels/conv_form.h"
#include "kernels/cpu/conv_1x1.h"
#include "kernels/cpu/conv_onednn.h"
#include "kernels/cpu/conv_plain.h"
#include "kernels/cpu/convert.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/winograd.h"

namespace gestalt::cpu {

namespace {

// Winograd takes contiguous f32 images. Its transforms of the images pay with enough channels: a
// 5x5 kernel with one or two input channels took 0.93 to 1.4 of oneDNN's time. Its transforms of
// the weights pay with enough output pixels: a 5x5 kernel took 0.85 to 0.91 of oneDNN's time for 8
// images of 5x5, and 1.1 to 1.8 of it for one of 5x5 to 7x7.
bool takes_winograd(const Context& context, const View& x, const View& w, const View& y,
                    const Conv2dDesc& desc) {
  const int64_t kernel = w.shape[2];
  const int64_t least_size = kernel == 3 ? 4 : 8, least_channels = kernel == 3 ? 1 : 3;
  return is_for_winograd(w.shape, desc) && winograd_available() && !context.exact() &&
         x.dtype == DType::f32 && x.is_contiguous() && w.is_contiguous() && y.is_contiguous() &&
         y.shape[2] >= least_size && y.shape[3] >= least_size && w.shape[0] * w.shape[1] >= 64 &&
         std::min(w.shape[0], w.shape[1]) >= least_channels;
}

// 1x1 kernels of stride 1 on contiguous f32 images, with pixels enough to fill a vector.
bool takes_1x1(const View& x, const View& w, const View& y, const Conv2dDesc& desc) {
  const bool plain_1x1 = w.shape[2] == 1 && w.shape[3] == 1 && desc.stride == Pair{1, 1} &&
                         desc.padding == Pair{0, 0} && desc.groups == 1;
  return plain_1x1 && conv_1x1_available() && x.dtype == DType::f32 && x.is_contiguous() &&
         w.is_contiguous() && y.is_contiguous() && x.shape[2] * x.shape[3] >= 16 && w.numel() > 0;
}

// How far apart the weights of two outputs, and of two inputs, lie: the gradient to the data reads
// them with both changed over.
struct Steps {
  int64_t output, input;
};

// The passes forward and backward between contiguous images, but for what only one of them has.
WinogradConv plain_winograd(const View& from, const View& w, const View& to, const Pair& padding,
                            const Steps& steps) {
  return {.x = from.as<float>(),
          .y = to.as<float>(),
          .batch = from.shape[0],
          .inputs = from.shape[1],
          .outputs = to.shape[1],
          .height = from.shape[2],
          .width = from.shape[3],
          .padding_h = padding[0],
          .padding_w = padding[1],
          .kernel = w.shape[2],
          .w = w.as<float>(),
          .output_stride = steps.output,
          .input_stride = steps.input};
}

Conv1x1 plain_1x1(const View& from, const View& w, const View& to, const Steps& steps) {
  return {.x = from.as<float>(),
          .y = to.as<float>(),
          .batch = from.shape[0],
          .inputs = from.shape[1],
          .outputs = to.shape[1],
          .pixels = from.shape[2] * from.shape[3],
          .w = w.as<float>(),
          .output_stride = steps.output,
          .input_stride = steps.input};
}

}  // namespace

void conv2d_forward(Context& context, const View& x, const View& w, const View* bias, const View& y,
                    const Conv2dDesc& desc) {
  if (y.numel() == 0) return;
  if (desc.topk) {  // the ReLU costs nothing on the way to the selection
    Conv2dDesc linear = desc;
    linear.activation = Activation::none;
    linear.topk.reset();
    conv2d_forward(context, x, w, bias, y, linear);
    return relu_topk_forward(context, y, nullptr, y, *desc.topk);
  }
  if (is_half(x.dtype)) {
    const F32Copy x32 = F32Copy::of(context, x), w32 = F32Copy::of(context, w), y32(context, y);
    const std::optional<F32Copy> bias32 =
        bias != nullptr ? std::optional(F32Copy::of(context, *bias)) : std::nullopt;
    conv2d_forward(context, x32.view(), w32.view(), bias32 ? &bias32->view() : nullptr, y32.view(),
                   desc);
    return copy(context, y32.view(), y);
  }
  if (takes_winograd(context, x, w, y, desc) && (bias == nullptr || bias->is_contiguous())) {
    WinogradConv conv =
        plain_winograd(x, w, y, desc.padding, {.output = w.strides[0], .input = w.strides[1]});
    if (bias != nullptr) conv.bias = bias->as<float>();
    conv.relu = desc.activation == Activation::relu;
    return winograd_conv(context, conv);
  }
  if (takes_1x1(x, w, y, desc) && (bias == nullptr || bias->is_contiguous())) {
    Conv1x1 conv = plain_1x1(x, w, y, {.output = w.shape[1], .input = 1});
    if (bias != nullptr) conv.bias = bias->as<float>();
    conv.relu = desc.activation == Activation::relu;
    return conv_1x1(context, conv);
  }
  if constexpr (with_onednn) {
    if (takes_onednn(x, w, y) && (bias == nullptr || bias->is_contiguous())) {
      return conv2d_forward_onednn(context, x, w, bias, y, desc);
    }
  }
  conv2d_forward_plain(x, w, bias, y, desc);
}

// The gradient to the data of a convolution with stride 1 is a convolution of dy with the weights
// turned by 180 degrees, inputs and outputs changed over, and padding kernel - 1 - padding.
void conv2d_backward_data(Context& context, const View& dy, const View& w, const View& dx,
                          const Conv2dDesc& desc) {
  if (dx.numel() == 0) return;
  if (is_half(dy.dtype)) {
    const F32Copy dy32 = F32Copy::of(context, dy), w32 = F32Copy::of(context, w), dx32(context, dx);
    conv2d_backward_data(context, dy32.view(), w32.view(), dx32.view(), desc);
    return copy(context, dx32.view(), dx);
  }
  if (takes_winograd(context, dx, w, dy, desc)) {
    WinogradConv conv = plain_winograd(
        dy, w, dx, {w.shape[2] - 1 - desc.padding[0], w.shape[3] - 1 - desc.padding[1]},
        {.output = w.strides[1], .input = w.strides[0]});
    conv.rotated = true;
    return winograd_conv(context, conv);
  }
  // It reads the weights across, which only a cache of the core's own makes up for.
  constexpr int64_t most_weights = 1 << 17;
  if (takes_1x1(dx, w, dy, desc) && w.numel() <= most_weights) {
    return conv_1x1(context, plain_1x1(dy, w, dx, {.output = 1, .input = w.shape[1]}));
  }
  if constexpr (with_onednn) {
    if (takes_onednn(dx, w, dy)) return conv2d_backward_data_onednn(context, dy, w, dx, desc);
  }
  conv2d_backward_data_plain(dy, w, dx, desc);
}

void conv2d_backward_weights(Context& context, const View& dy, const View& x, const View& dw,
                             const Conv2dDesc& desc) {
  if (is_half(dy.dtype)) {
    const F32Copy dy32 = F32Copy::of(context, dy), x32 = F32Copy::of(context, x), dw32(context, dw);
    conv2d_backward_weights(context, dy32.view(), x32.view(), dw32.view(), desc);
    return copy(context, dw32.view(), dw);
  }
  if constexpr (with_onednn) {
    if (takes_onednn(x, dw, dy)) return conv2d_backward_weights_onednn(context, dy, x, dw, desc);
  }
  conv2d_backward_weights_plain(dy, x, dw, desc);
}

}  // namespace gestalt::cpu
