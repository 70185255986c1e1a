// Top-K fused after a ReLU: alone, and as the end of convolutions and batch norms.

#include <cmath>

#include "nn/batch_norm.h"
#include "nn/conv.h"
#include "nn/topk.h"
#include "tests/cases/op_case.h"
#include "tests/ref/conv.h"
#include "tests/ref/topk_array.h"

namespace gestalt::cases {
namespace {

constexpr Layout last = Layout::channels_last;

// Of each row k values in [4, 5), the others in +-[0.25, 1): what is selected does not hang on a
// rounding, and nothing lies at the ReLU's kink.
Input gapped(const Shape& shape, int64_t k, Layout layout = Layout::contiguous) {
  Input input{.shape = shape, .layout = layout};
  const int64_t length = shape[2] * shape[3];
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const bool large = (i * 5 + i / length) % length < k;  // length has no factor 5
    const double unit = std::fmod(0.618033988749895 * static_cast<double>(i + 1), 1.0);
    input.values.push_back(large ? 4 + unit : (i % 3 == 0 ? -1 : 1) * (0.25 + 0.75 * unit));
  }
  return input;
}

// ---- relu_topk ----

OpCase relu_topk_case(const std::string& name, std::vector<Input> inputs, const TopKDesc& desc) {
  return {.name = "relu_topk/" + name,
          .inputs = std::move(inputs),
          .run = [desc](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {nn::relu_topk(in[0], desc, in.size() > 1 ? in[1] : Tensor())};
          },
          .reference = [desc](const std::vector<Array>& in) -> std::vector<Array> {
            Array x = in[0];
            const int64_t length = x.shape[2] * x.shape[3];
            for (size_t i = 0; in.size() > 1 && i < x.values.size(); ++i) {
              x.values[i] += in[1].values[static_cast<int64_t>(i) / length % x.shape[1]];
            }
            return {relu_topk_reference(x, desc)};
          }};
}

// Values that are no gradcheck's business (tests/nn/fused_topk_test.cpp has their gradients).
OpCase special_case(const std::string& name, std::vector<double> values, const TopKDesc& desc) {
  const Shape shape{1, 1, 1, static_cast<int64_t>(values.size())};
  OpCase result = relu_topk_case(name, {{.shape = shape, .values = std::move(values)}}, desc);
  result.differentiable = false;
  result.tolerance_f32 = result.tolerance_bf16 = result.tolerance_f16 = result.tolerance_f64 = 0;
  return result;
}

// ---- convolution: 1x1 over one channel with gaps and one of little weight ----

OpCase conv_case(const std::string& name, const TopKDesc& topk, Layout layout) {
  const Shape shape{2, 2, 4, 6};
  Input x = gapped(shape, 5, layout);
  for (int64_t i = 0; i < shape.numel(); ++i) {
    if (i / 24 % 2 == 1) x.values[i] /= 16;
  }
  std::vector<double> weight;
  for (int64_t o = 0; o < 3; ++o) {
    weight.push_back(0.75 + 0.25 * static_cast<double>(o));
    weight.push_back(o % 2 == 0 ? 0.5 : -0.5);
  }
  const Conv2dDesc desc{.activation = Activation::relu, .topk = topk};
  return {.name = "conv2d/" + name,
          .inputs = {x,
                     {.shape = {3, 2, 1, 1}, .values = weight},
                     {.shape = {3}, .values = {0.125, -0.125, 0.25}}},
          .run = [desc](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            return {nn::conv2d(in[0], in[1], in[2], desc)};
          },
          .reference = [desc](const std::vector<Array>& in) -> std::vector<Array> {
            return {relu_topk_reference(conv2d_reference(in[0], in[1], &in[2], {}), desc.topk)};
          },
          .tolerance_f32 = 5e-6};
}

// ---- batch norm ----

DType stat_dtype(const Tensor& x) {
  return x.dtype() == DType::f64 ? DType::f64 : DType::f32;
}

std::vector<Input> norm_inputs(Input x) {
  const int64_t channels = x.shape[1];
  return {std::move(x), {.shape = {channels}, .low = 0.5, .high = 1.5}, {.shape = {channels}}};
}

BatchNormDesc norm_desc(const FusedTopK& topk) {
  return {.epsilon = 1e-3, .activation = Activation::relu, .topk = topk};
}

OpCase training_case(const std::string& name, Input x, const FusedTopK& topk) {
  return {.name = "batch_norm_training/" + name,
          .inputs = norm_inputs(std::move(x)),
          .run = [topk](const std::vector<Tensor>& in) -> std::vector<Tensor> {
            const DType stat = stat_dtype(in[0]);
            return {nn::batch_norm_training(in[0], in[1].to(stat), in[2].to(stat), {}, {},
                                            norm_desc(topk))};
          },
          .reference = [topk](const std::vector<Array>& in) -> std::vector<Array> {
            const BatchStatistics stats = batch_statistics(in[0]);
            return {relu_topk_reference(
                batch_norm_reference(in[0], in[1].values, in[2].values, stats.mean, stats.variance,
                                     norm_desc(topk).epsilon),
                topk)};
          },
          .tolerance_f32 = 2e-6,
          .tolerance_bf16 = 2e-2,
          .tolerance_f16 = 4e-3};
}

OpCase inference_case(const std::string& name, Input x, const FusedTopK& topk) {
  return {
      .name = "batch_norm_inference/" + name,
      .inputs = norm_inputs(std::move(x)),
      .run = [topk](const std::vector<Tensor>& in) -> std::vector<Tensor> {
        const TensorOptions options{stat_dtype(in[0]), in[0].device()};
        const Shape channels{in[0].size(1)};
        return {nn::batch_norm_inference(in[0], in[1].to(options.dtype), in[2].to(options.dtype),
                                         Tensor::full(channels, 0.5, options),
                                         Tensor::full(channels, 2, options), norm_desc(topk))};
      },
      .reference = [topk](const std::vector<Array>& in) -> std::vector<Array> {
        const size_t channels = in[1].values.size();
        return {relu_topk_reference(
            batch_norm_reference(in[0], in[1].values, in[2].values,
                                 std::vector<double>(channels, 0.5),
                                 std::vector<double>(channels, 2), norm_desc(topk).epsilon),
            topk)};
      },
      .tolerance_f32 = 2e-6};
}

OpCase bias_alone() {
  OpCase result =
      inference_case("relu_topk_bias_gradient_alone", gapped({2, 3, 4, 3}, 4), TopKDesc{.k = 4});
  result.inputs[0].gradient = result.inputs[1].gradient = false;
  return result;
}

constexpr TopKDesc keep_5{.k = 5}, reverse_5{.k = 5, .mode = TopKMode::reverse};

const bool added = add_cases({
    relu_topk_case("keep", {gapped({2, 3, 4, 6}, 5)}, keep_5),
    relu_topk_case("reverse", {gapped({2, 3, 4, 6}, 5)}, reverse_5),
    relu_topk_case("more_than_positive", {gapped({2, 3, 4, 6}, 5)}, {.k = 22}),
    relu_topk_case("all", {gapped({2, 3, 4, 6}, 5)}, {.k = 24}),
    relu_topk_case("one_element", {gapped({2, 3, 1, 1}, 1)}, {.k = 1}),
    relu_topk_case("long_rows", {gapped({1, 2, 37, 33}, 100)}, {.k = 100}),
    relu_topk_case("bias", {gapped({2, 3, 4, 6}, 5), {.shape = {3}}}, keep_5),
    relu_topk_case("channels_last", {gapped({2, 19, 4, 6}, 5, last)}, keep_5),
    relu_topk_case("channels_last_bias", {gapped({2, 35, 4, 6}, 5, last), {.shape = {35}}}, keep_5),
    relu_topk_case("strided", {gapped({2, 3, 4, 6}, 5, Layout::strided)}, keep_5),
    relu_topk_case("tau", {gapped({2, 3, 4, 6}, 5), {.shape = {3}}}, {.k = 5, .tau = 0.25f}),
    relu_topk_case("empty", {{.shape = {0, 3, 4, 4}}}, {.k = 2}),
    special_case("ties", {1, -1, 1, 0, -0.0, 2, 1, 1, -2, 1}, {.k = 5}),
    special_case("zeros", {-3, -0.0, 0, -0.0, 3, 0, 0}, {.k = 4}),
    special_case("infinities", {1, -INFINITY, NAN, INFINITY, 5, -NAN, 7}, {.k = 3}),
    special_case("reverse_infinities", {1, -INFINITY, NAN, INFINITY, 5, -NAN, 7},
                 {.k = 4, .mode = TopKMode::reverse}),
    conv_case("relu_topk", keep_5, Layout::contiguous),
    conv_case("relu_topk_channels_last", keep_5, last),
    conv_case("relu_topk_reverse", reverse_5, Layout::contiguous),
    training_case("relu", gapped({3, 2, 4, 6}, 5), {}),
    training_case("relu_matrix", {.shape = {6, 4}}, {}),
    training_case("relu_topk", gapped({3, 2, 4, 6}, 5), keep_5),
    training_case("relu_topk_reverse", gapped({3, 2, 4, 6}, 5), reverse_5),
    training_case("relu_topk_channels_last", gapped({2, 19, 4, 6}, 5, last), keep_5),
    training_case("relu_topk_strided", gapped({2, 3, 4, 6}, 5, Layout::strided), keep_5),
    inference_case("relu", gapped({3, 2, 4, 6}, 5), {}),
    inference_case("relu_topk", gapped({3, 2, 4, 6}, 5), keep_5),
    inference_case("relu_topk_channels_last", gapped({2, 19, 4, 6}, 5, last), keep_5),
    inference_case("relu_topk_batch_0", {.shape = {0, 4, 2, 2}}, TopKDesc{.k = 2}),
    bias_alone(),
});

}  // namespace
}  // namespace gestalt::cases
