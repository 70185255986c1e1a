#include <algorithm>
#include <cmath>

#include "nn/batch_norm.h"
#include "tests/cases/op_case.h"
#include "tests/ref/conv.h"

namespace gestalt::cases {
namespace {

const BatchNormDesc desc{.epsilon = 1e-3, .momentum = 0.3};

DType stat_dtype(const Tensor& x) {
  return x.dtype() == DType::f64 ? DType::f64 : DType::f32;
}

Tensor running(const Tensor& x, double value) {
  return Tensor::full({x.size(1)}, value, {stat_dtype(x), x.device()});
}

// The running statistics start at 0.5 and 2 and are outputs too.
std::vector<Tensor> run_training(const std::vector<Tensor>& in) {
  const DType stat = stat_dtype(in[0]);
  const Tensor mean = running(in[0], 0.5), variance = running(in[0], 2);
  const Tensor y =
      nn::batch_norm_training(in[0], in[1].to(stat), in[2].to(stat), mean, variance, desc);
  return {y, mean, variance};
}

std::vector<Array> training_reference(const std::vector<Array>& in) {
  const BatchStatistics stats = batch_statistics(in[0]);
  Array mean(in[1].shape), variance(in[1].shape);
  for (size_t c = 0; c < mean.values.size(); ++c) {
    mean.values[c] = 0.7 * 0.5 + 0.3 * stats.mean[c];
    variance.values[c] = 0.7 * 2 + 0.3 * stats.variance[c] * stats.count / (stats.count - 1);
  }
  return {batch_norm_reference(in[0], in[1].values, in[2].values, stats.mean, stats.variance,
                               desc.epsilon),
          mean, variance};
}

std::vector<Tensor> run_training_alone(const std::vector<Tensor>& in) {
  const DType stat = stat_dtype(in[0]);
  return {nn::batch_norm_training(in[0], in[1].to(stat), in[2].to(stat), {}, {}, desc)};
}

std::vector<Array> training_alone_reference(const std::vector<Array>& in) {
  return {training_reference(in)[0]};
}

std::vector<Tensor> run_inference(const std::vector<Tensor>& in) {
  const DType stat = stat_dtype(in[0]);
  return {nn::batch_norm_inference(in[0], in[1].to(stat), in[2].to(stat), running(in[0], 0.5),
                                   running(in[0], 2), desc)};
}

std::vector<Array> inference_reference(const std::vector<Array>& in) {
  const size_t channels = in[1].values.size();
  return {batch_norm_reference(in[0], in[1].values, in[2].values,
                               std::vector<double>(channels, 0.5), std::vector<double>(channels, 2),
                               desc.epsilon)};
}

std::vector<Input> inputs(Input x) {
  const int64_t channels = x.shape[1];
  return {std::move(x), {.shape = {channels}}, {.shape = {channels}}};
}

OpCase training(const std::string& name, Input x) {
  return {.name = "batch_norm_training/" + name,
          .inputs = inputs(std::move(x)),
          .run = run_training_alone,
          .reference = training_alone_reference,
          .tolerance_f32 = 2e-6,
          .tolerance_bf16 = 2e-2,
          .tolerance_f16 = 4e-3};
}

OpCase with_running() {
  OpCase result = training("running_statistics", {.shape = {3, 2, 4, 5}});
  result.run = run_training;
  result.reference = training_reference;
  result.differentiable = false;
  return result;
}

OpCase inference(const std::string& name, Input x) {
  return {.name = "batch_norm_inference/" + name,
          .inputs = inputs(std::move(x)),
          .run = run_inference,
          .reference = inference_reference,
          .tolerance_f32 = 2e-6};
}

// Large means beside small deviations: the variance must not lose its digits.
OpCase offset() {
  OpCase result = training("offset", {.shape = {2, 3, 8, 8}, .low = 1000, .high = 1001});
  result.dtypes = {DType::f32, DType::f64};
  result.tolerance_f32 = 1e-5;
  result.differentiable = false;
  return result;
}

OpCase bias_alone() {
  OpCase result = inference("bias_gradient_alone", {.shape = {2, 3, 4, 5}});
  result.inputs[0].gradient = result.inputs[1].gradient = false;
  return result;
}

// result's op with a fourth input added before the activation. `op` takes what the entries of
// nn/batch_norm.h take, but for the running statistics. Before a ReLU the residual outweighs the
// rest, so that no rounding takes a value over the kink.
template <class Op>
OpCase with_residual(OpCase result, Activation activation, const Op& op) {
  const bool rectify = activation == Activation::relu;
  Input residual{.shape = result.inputs[0].shape, .layout = result.inputs[0].layout};
  for (int64_t i = 0; rectify && i < residual.shape.numel(); ++i) {
    const double unit = std::fmod(0.618033988749895 * static_cast<double>(i + 1), 1.0);
    residual.values.push_back((i % 3 == 0 ? -1 : 1) * (4 + unit));
  }
  result.name += rectify ? "_residual_relu" : "_residual";
  result.inputs.push_back(std::move(residual));
  result.run = [activation, op](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    const DType stat = stat_dtype(in[0]);
    BatchNormDesc activated = desc;
    activated.activation = activation;
    return {op(in[0], in[1].to(stat), in[2].to(stat), activated, in[3])};
  };
  result.reference = [rectify, reference = result.reference](const std::vector<Array>& in) {
    std::vector<Array> y = reference({in[0], in[1], in[2]});
    for (size_t i = 0; i < y[0].values.size(); ++i) {
      double& value = y[0].values[i];
      value += in[3].values[i];
      if (rectify) value = std::max(value, 0.0);
    }
    return y;
  };
  return result;
}

OpCase training_residual(const std::string& name, Input x, Activation activation) {
  return with_residual(training(name, std::move(x)), activation,
                       [](const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const BatchNormDesc& desc, const Tensor& residual) {
                         return nn::batch_norm_training(x, weight, bias, {}, {}, desc, residual);
                       });
}

OpCase inference_residual(const std::string& name, Input x, Activation activation) {
  return with_residual(inference(name, std::move(x)), activation,
                       [](const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const BatchNormDesc& desc, const Tensor& residual) {
                         return nn::batch_norm_inference(x, weight, bias, running(x, 0.5),
                                                         running(x, 2), desc, residual);
                       });
}

// Only the residual asks for a gradient.
OpCase residual_alone(OpCase result) {
  for (size_t i = 0; i < 3; ++i) result.inputs[i].gradient = false;
  result.name += "_gradient_alone";
  return result;
}

// Only the residual asks for none.
OpCase without_residual_gradient(OpCase result) {
  result.inputs[3].gradient = false;
  result.name += "_constant";
  return result;
}

constexpr auto relu = Activation::relu, none = Activation::none;
constexpr Layout last = Layout::channels_last;

const bool added = add_cases({
    training("image", {.shape = {3, 2, 4, 5}}),
    training("channels_last", {.shape = {3, 4, 3, 5}, .layout = Layout::channels_last}),
    training("matrix", {.shape = {6, 4}}),
    training("strided", {.shape = {2, 3, 3, 4}, .layout = Layout::strided}),
    with_running(),
    offset(),
    inference("image", {.shape = {3, 2, 4, 5}}),
    inference("channels_last", {.shape = {3, 4, 3, 5}, .layout = Layout::channels_last}),
    inference("matrix", {.shape = {6, 4}}),
    inference("batch_0", {.shape = {0, 4, 2, 2}}),
    bias_alone(),
    training_residual("image", {.shape = {3, 2, 4, 5}}, none),
    training_residual("image", {.shape = {3, 2, 4, 5}}, relu),
    training_residual("odd", {.shape = {2, 3, 3, 7}}, relu),
    training_residual("channels_last", {.shape = {3, 11, 3, 5}, .layout = last}, relu),
    training_residual("channels_last_of_16", {.shape = {2, 16, 3, 3}, .layout = last}, none),
    training_residual("matrix", {.shape = {6, 4}}, relu),
    training_residual("strided", {.shape = {2, 3, 3, 4}, .layout = Layout::strided}, relu),
    residual_alone(training_residual("image", {.shape = {3, 2, 4, 5}}, relu)),
    without_residual_gradient(training_residual("image", {.shape = {3, 2, 4, 5}}, relu)),
    inference_residual("image", {.shape = {3, 2, 4, 5}}, none),
    inference_residual("odd", {.shape = {2, 3, 3, 7}}, relu),
    inference_residual("channels_last", {.shape = {3, 11, 3, 5}, .layout = last}, relu),
    inference_residual("matrix", {.shape = {6, 4}}, relu),
    inference_residual("batch_0", {.shape = {0, 4, 2, 2}}, relu),
    residual_alone(inference_residual("image", {.shape = {3, 2, 4, 5}}, relu)),
});

}  // namespace
}  // namespace gestalt::cases
