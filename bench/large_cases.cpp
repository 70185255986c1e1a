// OpCases at the sizes of networks, for op_case_bench alone: a reference in double would take
// minutes here, and the small cases of the tests have one.

#include "kernels/error.h"
#include "nn/activations.h"
#include "nn/batch_norm.h"
#include "nn/conv.h"
#include "nn/pool.h"
#include "nn/unit_distance.h"
#include "tensor/ops/matmul.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

constexpr auto last = Layout::channels_last;

std::string name_of(const std::string& op, const Shape& shape, Layout layout) {
  return op + "/" + to_string(shape) + (layout == last ? "_channels_last" : "");
}

template <class Run>
OpCase large(const std::string& name, std::vector<Input> inputs, Run run, double flops = 0) {
  OpCase result;
  result.name = name;
  result.inputs = std::move(inputs);
  result.run = [run](const std::vector<Tensor>& in) -> std::vector<Tensor> { return {run(in)}; };
  result.flops = flops;
  return result;
}

OpCase max_pool(const Shape& shape, Layout layout, const std::string& window,
                const Pool2dDesc& desc) {
  return large(name_of("max_pool2d_" + window, shape, layout), {{.shape = shape, .layout = layout}},
               [desc](const std::vector<Tensor>& in) { return nn::max_pool2d(in[0], desc); });
}

OpCase avg_pool(const Shape& shape, Layout layout, const std::string& window,
                const Pool2dDesc& desc) {
  return large(name_of("avg_pool2d_" + window, shape, layout), {{.shape = shape, .layout = layout}},
               [desc](const std::vector<Tensor>& in) { return nn::avg_pool2d(in[0], desc); });
}

std::vector<Input> batch_norm_inputs(const Shape& shape, Layout layout) {
  return {{.shape = shape, .layout = layout},
          {.shape = {shape[1]}},
          {.shape = {shape[1]}},
          {.shape = {shape[1]}, .gradient = false},
          {.shape = {shape[1]}, .low = 0.5, .high = 2, .gradient = false}};
}

// in[5], where there is one: a residual.
Tensor run_batch_norm(const std::vector<Tensor>& in, bool training, const BatchNormDesc& desc) {
  const auto of_channels = [&](int i) { return in[i].to(DType::f32); };
  const auto op = training ? nn::batch_norm_training : nn::batch_norm_inference;
  return op(in[0], of_channels(1), of_channels(2), of_channels(3), of_channels(4), desc,
            in.size() > 5 ? in[5] : Tensor());
}

OpCase batch_norm(const Shape& shape, Layout layout, bool training) {
  return large(name_of(training ? "batch_norm_training" : "batch_norm_inference", shape, layout),
               batch_norm_inputs(shape, layout), [training](const std::vector<Tensor>& in) {
                 return run_batch_norm(in, training, {});
               });
}

// With a residual added and a ReLU, as a block of ResNet-18 ends.
OpCase batch_norm_residual(const Shape& shape, Layout layout, bool training) {
  std::vector<Input> inputs = batch_norm_inputs(shape, layout);
  inputs.push_back({.shape = shape, .layout = layout});
  const char* op = training ? "batch_norm_training_residual" : "batch_norm_inference_residual";
  return large(name_of(op, shape, layout), std::move(inputs),
               [training](const std::vector<Tensor>& in) {
                 BatchNormDesc desc;
                 desc.activation = Activation::relu;
                 return run_batch_norm(in, training, desc);
               });
}

OpCase conv(int64_t inputs, int64_t outputs, int64_t size) {
  return large(
      format("conv2d_3x3/[1,{},{},{}]_to_{}", inputs, size, size, outputs),
      {{.shape = {1, inputs, size, size}}, {.shape = {outputs, inputs, 3, 3}}},
      [](const std::vector<Tensor>& in) {
        return nn::conv2d(in[0], in[1], {}, {.padding = {1, 1}});
      },
      2.0 * 9 * static_cast<double>(inputs * outputs * size * size));
}

OpCase product(int64_t size) {
  return large(
      format("matmul/[{},{}]", size, size), {{.shape = {size, size}}, {.shape = {size, size}}},
      [](const std::vector<Tensor>& in) { return matmul(in[0], in[1]); },
      2.0 * static_cast<double>(size * size * size));
}

OpCase glu(const Shape& shape, Layout layout) {
  return large(name_of("glu", shape, layout), {{.shape = shape, .layout = layout}},
               [](const std::vector<Tensor>& in) { return nn::glu(in[0]); });
}

// To a target that needs no gradient, as LPIPS is used in training.
OpCase unit_distance(const Shape& shape, Layout layout) {
  return large(name_of("unit_distance", shape, layout),
               {{.shape = shape, .low = 0, .layout = layout},
                {.shape = shape, .low = 0, .layout = layout, .gradient = false},
                {.shape = {shape[1]}, .low = 0, .gradient = false}},
               [](const std::vector<Tensor>& in) {
                 return nn::unit_distance(in[0], in[1], in[2].to(DType::f32));
               });
}

std::vector<OpCase> make_cases() {
  const Pool2dDesc halving, overlapping{.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}};
  const Shape vgg_first{4, 64, 224, 224}, vgg_middle{4, 256, 56, 56}, stem{8, 64, 112, 112},
      stage1{8, 64, 56, 56}, stage2{8, 128, 28, 28}, stage4{8, 512, 7, 7};
  std::vector<OpCase> all;
  for (const Layout layout : {Layout::contiguous, last}) {
    for (const Shape& shape : {vgg_first, vgg_middle}) {
      all.push_back(max_pool(shape, layout, "2x2", halving));
      all.push_back(avg_pool(shape, layout, "2x2", halving));
    }
    all.push_back(max_pool(stem, layout, "3x3_stride_2", overlapping));
    all.push_back(avg_pool(stem, layout, "3x3_stride_2", overlapping));
    for (const Shape& shape : {stem, stage2, stage4}) {
      all.push_back(batch_norm(shape, layout, true));
      all.push_back(batch_norm(shape, layout, false));
    }
    for (const Shape& shape : {stage1, stage4}) {
      all.push_back(batch_norm_residual(shape, layout, true));
      all.push_back(batch_norm_residual(shape, layout, false));
    }
    all.push_back(glu({2, 512, 64, 64}, layout));
    all.push_back(unit_distance({2, 64, 128, 128}, layout));
    all.push_back(unit_distance({2, 512, 16, 16}, layout));
  }
  all.push_back(conv(64, 64, 224));
  all.push_back(conv(256, 256, 56));
  all.push_back(conv(512, 512, 14));
  all.push_back(product(1024));
  return all;
}

const bool added = add_cases(make_cases());

}  // namespace
}  // namespace gestalt::cases
