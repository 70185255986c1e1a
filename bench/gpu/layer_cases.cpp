// The layers of ResNet-18's training step, each by itself, so that a slow step shows where its time
// goes: a convolution of each kind that it has, batch norm and pooling.

#include "bench/gpu/cases.h"
#include "kernels/table.h"
#include "nn/batch_norm.h"
#include "nn/pool.h"
#include "tensor/autograd.h"
#include "tensor/random.h"

namespace gestalt::bench {
namespace {

constexpr auto layout = Format::channels_last;

int64_t output_side(const Case& c) {
  return (c.shape[2] - 1) / c.window.stride + 1;  // padded by half of an odd kernel
}

Shape output_shape(const Case& c) {
  return {c.shape[0], c.window.outputs, output_side(c), output_side(c)};
}

double bytes_of(const Case& c, const Shape& shape) {
  return static_cast<double>(shape.numel() * size_of(c.dtype));
}

void prepare_convolution(Case& c, Device device) {
  const int64_t kernel = c.window.kernel;
  const Shape weight_shape{c.window.outputs, c.shape[1], kernel, kernel};
  const Shape y_shape = output_shape(c);
  c.bytes = bytes_of(c, c.shape) + bytes_of(c, weight_shape) + bytes_of(c, y_shape);
  c.operations = 2.0 * static_cast<double>(y_shape.numel()) *
                 static_cast<double>(c.shape[1] * kernel * kernel);
  c.prepare = [c, device, weight_shape, y_shape, kernel]() -> std::function<void()> {
    const TensorOptions options{.dtype = c.dtype, .device = device, .format = layout};
    const Tensor x = random_input(c, device);
    const Tensor w = Generator(2).normal(weight_shape, 0, 1, options);
    const Tensor y = Generator(3).normal(y_shape, 0, 1, options);
    const Conv2dDesc desc{.stride = {c.window.stride, c.window.stride},
                          .padding = {kernel / 2, kernel / 2}};
    if (c.operation == "conv2d") {
      return [x, w, y, desc] {
        Context& ctx = context(x.device());
        ctx.kernels().conv2d_forward(ctx, x.view(), w.view(), nullptr, y.view(), desc);
      };
    }
    if (c.operation == "conv2d_backward_data") {
      return [x, w, y, desc] {
        Context& ctx = context(x.device());
        ctx.kernels().conv2d_backward_data(ctx, y.view(), w.view(), x.view(), desc);
      };
    }
    return [x, w, y, desc] {
      Context& ctx = context(x.device());
      ctx.kernels().conv2d_backward_weights(ctx, y.view(), x.view(), w.view(), desc);
    };
  };
}

// make_layer(): a function of x. Backward reads dy and x once, and writes dx.
template <class MakeLayer>
void prepare_layer(Case& c, Device device, bool backward, const MakeLayer& make_layer) {
  const double y_bytes = bytes_of(c, output_shape(c));
  c.bytes = bytes_of(c, c.shape) * (backward ? 2 : 1) + y_bytes;
  c.prepare = [c, device, backward, make_layer]() -> std::function<void()> {
    const auto apply = make_layer();
    Tensor x = random_input(c, device);
    if (!backward) {
      return [x, apply] {
        const NoGradGuard no_grad;
        apply(x);
      };
    }
    x.set_requires_grad(true);
    const Tensor y = apply(x);
    const Tensor dy = Generator(3).normal(y.shape(), 0, 1,
                                          {.dtype = c.dtype, .device = device, .format = layout});
    return [x, y, dy] {
      gradients(std::span(&y, 1), std::span(&dy, 1), std::span(&x, 1), {.retain_graph = true});
    };
  };
}

void prepare_batch_norm(Case& c, Device device, bool backward) {
  prepare_layer(c, device, backward, [channels = c.shape[1], device] {
    const TensorOptions statistics{.device = device};
    BatchNormDesc desc;
    desc.activation = Activation::relu;
    return
        [ones = Tensor::ones({channels}, statistics), zeros = Tensor::zeros({channels}, statistics),
         desc](const Tensor& x) { return nn::batch_norm_training(x, ones, zeros, {}, {}, desc); };
  });
}

void prepare_max_pool(Case& c, Device device, bool backward) {
  prepare_layer(c, device, backward, [] {
    return [](const Tensor& x) {
      return nn::max_pool2d(x, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
    };
  });
}

}  // namespace

std::vector<Case> layer_cases(Device device) {
  struct Layer {
    int64_t inputs, side;
    Window window;
  };
  constexpr Layer convolutions[] = {
      {3, 224, {64, 7, 2}},   {64, 56, {64, 3, 1}},   {64, 56, {128, 3, 2}}, {64, 56, {128, 1, 2}},
      {128, 28, {128, 3, 1}}, {256, 14, {256, 3, 1}}, {512, 7, {512, 3, 1}}};
  const int64_t batch = device.is_cuda() ? 128 : 1;
  std::vector<Case> cases;
  const auto add = [&](const char* operation, DType dtype, const Layer& layer,
                       const auto& prepare) {
    Case c{.operation = operation,
           .dtype = dtype,
           .format = layout,
           .shape = {batch, layer.inputs, layer.side, layer.side},
           .window = layer.window,
           .prepare = {}};
    prepare(c);
    cases.push_back(std::move(c));
  };
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Layer& layer : convolutions) {
      const auto prepare = [&](Case& c) { prepare_convolution(c, device); };
      add("conv2d", dtype, layer, prepare);
      // Nobody asks for the images' gradient.
      if (layer.inputs > 3) add("conv2d_backward_data", dtype, layer, prepare);
      add("conv2d_backward_weights", dtype, layer, prepare);
    }
    for (const bool backward : {false, true}) {
      for (const Layer& layer : {Layer{64, 112, {64, 1, 1}}, Layer{256, 14, {256, 1, 1}}}) {
        add(backward ? "batch_norm_relu_backward" : "batch_norm_relu", dtype, layer,
            [&](Case& c) { prepare_batch_norm(c, device, backward); });
      }
      add(backward ? "max_pool_backward" : "max_pool", dtype, {64, 112, {64, 3, 2}},
          [&](Case& c) { prepare_max_pool(c, device, backward); });
    }
  }
  return cases;
}

}  // namespace gestalt::bench
