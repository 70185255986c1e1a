// The layers of ResNet-18's training step, each by itself, so that a slow step shows where its time
// goes: a convolution of each kind that it has, batch norm and pooling.

#include "bench/gpu/cases.h"
#include "bench/gpu/convolution_cases.h"
#include "nn/batch_norm.h"
#include "nn/pool.h"
#include "tensor/autograd.h"
#include "tensor/random.h"

namespace gestalt::bench {
namespace {

constexpr auto layout = Format::channels_last;

// make_layer(): a function of x. Backward reads dy and x once, and writes dx.
template <class MakeLayer>
void prepare_layer(Case& c, Device device, bool backward, const MakeLayer& make_layer) {
  const double y_bytes = case_bytes(c, window_output_shape(c));
  c.bytes = case_bytes(c, c.shape) * (backward ? 2 : 1) + y_bytes;
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
    int64_t channels, side;
    Window window;
  };
  std::vector<Case> cases = convolution_cases(device, Convolutions::of_each_kind);
  const auto add = [&](const char* operation, DType dtype, const Layer& layer,
                       const auto& prepare) {
    Case c{.operation = operation,
           .dtype = dtype,
           .format = layout,
           .shape = {resnet18_batch(device), layer.channels, layer.side, layer.side},
           .window = layer.window,
           .prepare = {}};
    prepare(c);
    cases.push_back(std::move(c));
  };
  for (const DType dtype : {DType::f32, DType::bf16}) {
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
