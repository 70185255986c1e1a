#include "bench/gpu/convolution_cases.h"

#include "kernels/table.h"
#include "tensor/context.h"
#include "tensor/random.h"

namespace gestalt::bench {
namespace {

struct Layer {
  int64_t inputs, side;
  Window window;
  bool is_first_of_its_kind = true;
};

constexpr Layer layers[] = {
    {3, 224, {64, 7, 2}},          {4, 224, {64, 7, 2}},          {64, 56, {64, 3, 1}},
    {64, 56, {128, 3, 2}},         {64, 56, {128, 1, 2}},         {128, 28, {128, 3, 1}},
    {128, 28, {256, 3, 2}, false}, {128, 28, {256, 1, 2}, false}, {256, 14, {256, 3, 1}},
    {256, 14, {512, 3, 2}, false}, {256, 14, {512, 1, 2}, false}, {512, 7, {512, 3, 1}}};

constexpr auto layout = Format::channels_last;

Shape weight_shape(const Case& c) {
  return {c.window.outputs, c.shape[1], c.window.kernel, c.window.kernel};
}

std::function<void()> make_work(const Case& c, Device device) {
  const Convolution made = make_convolution(c, device);
  if (c.operation == "conv2d") {
    return [made] {
      Context& ctx = context(made.x.device());
      ctx.kernels().conv2d_forward(ctx, made.x.view(), made.w.view(), nullptr, made.y.view(),
                                   made.desc);
    };
  }
  if (c.operation == "conv2d_backward_data") {
    return [made] {
      Context& ctx = context(made.x.device());
      ctx.kernels().conv2d_backward_data(ctx, made.y.view(), made.w.view(), made.x.view(),
                                         made.desc);
    };
  }
  return [made] {
    Context& ctx = context(made.x.device());
    ctx.kernels().conv2d_backward_weights(ctx, made.y.view(), made.x.view(), made.w.view(),
                                          made.desc);
  };
}

Case make_case(const char* operation, DType dtype, const Layer& layer, Device device) {
  Case c{.operation = operation,
         .dtype = dtype,
         .format = layout,
         .shape = {resnet18_batch(device), layer.inputs, layer.side, layer.side},
         .window = layer.window,
         .prepare = {}};
  const Shape weights = weight_shape(c), outputs = window_output_shape(c);
  c.bytes = case_bytes(c, c.shape) + case_bytes(c, weights) + case_bytes(c, outputs);
  c.operations = 2.0 * static_cast<double>(outputs.numel()) *
                 static_cast<double>(weights.numel() / c.window.outputs);
  c.prepare = [c, device] { return make_work(c, device); };
  return c;
}

}  // namespace

int64_t resnet18_batch(Device device) {
  return device.is_cuda() ? 128 : 1;
}

Shape window_output_shape(const Case& c) {
  const int64_t side = (c.shape[2] - 1) / c.window.stride + 1;  // padded by half of an odd kernel
  return {c.shape[0], c.window.outputs, side, side};
}

double case_bytes(const Case& c, const Shape& shape) {
  return static_cast<double>(shape.numel() * size_of(c.dtype));
}

Convolution make_convolution(const Case& c, Device device) {
  const TensorOptions options{.dtype = c.dtype, .device = device, .format = layout};
  const int64_t kernel = c.window.kernel;
  return {
      .x = random_input(c, device),
      .w = Generator(2).normal(weight_shape(c), 0, 1, options),
      .y = Generator(3).normal(window_output_shape(c), 0, 1, options),
      .desc = {.stride = {c.window.stride, c.window.stride}, .padding = {kernel / 2, kernel / 2}}};
}

std::vector<Case> convolution_cases(Device device, Convolutions which) {
  std::vector<Case> cases;
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const Layer& layer : layers) {
      if (which == Convolutions::of_each_kind && !layer.is_first_of_its_kind) continue;
      cases.push_back(make_case("conv2d", dtype, layer, device));
      // Nobody asks for the images' gradient.
      if (layer.side < 224) {
        cases.push_back(make_case("conv2d_backward_data", dtype, layer, device));
      }
      cases.push_back(make_case("conv2d_backward_weights", dtype, layer, device));
    }
  }
  return cases;
}

}  // namespace gestalt::bench
