// Functions of one element and their gradients.

#include "kernels/cuda/device/operations.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"

namespace GESTALT_CUDA_NAMESPACE {

void exp(Context& context, const View& x, const View& y) {
  elementwise_floating(context, "exp", Exp{}, y, x);
}

void log(Context& context, const View& x, const View& y) {
  elementwise_floating(context, "log", Log{}, y, x);
}

void sqrt(Context& context, const View& x, const View& y) {
  elementwise_floating(context, "sqrt", Sqrt{}, y, x);
}

void sqrt_backward(Context& context, const View& dy, const View& y, const View& dx) {
  elementwise_floating(context, "sqrt_backward", SqrtBackward{}, dx, dy, y);
}

void abs(Context& context, const View& x, const View& y) {
  elementwise_floating(context, "abs", Abs{}, y, x);
}

void abs_backward(Context& context, const View& dy, const View& x, const View& dx) {
  elementwise_floating(context, "abs_backward", AbsBackward{}, dx, dy, x);
}

void sigmoid(Context& context, const View& x, const View& y) {
  elementwise_floating(context, "sigmoid", Sigmoid{}, y, x);
}

void sigmoid_backward(Context& context, const View& dy, const View& y, const View& dx) {
  elementwise_floating(context, "sigmoid_backward", SigmoidBackward{}, dx, dy, y);
}

void tanh(Context& context, const View& x, const View& y) {
  elementwise_floating(context, "tanh", Tanh{}, y, x);
}

void tanh_backward(Context& context, const View& dy, const View& y, const View& dx) {
  elementwise_floating(context, "tanh_backward", TanhBackward{}, dx, dy, y);
}

void relu(Context& context, const View& x, const View& y) {
  elementwise_floating(context, "relu", Relu{}, y, x);
}

void relu_backward(Context& context, const View& dy, const View& y, const View& dx) {
  elementwise_floating(context, "relu_backward", ReluBackward{}, dx, dy, y);
}

void leaky_relu(Context& context, const View& x, double slope, const View& y) {
  elementwise_floating(context, "leaky_relu", LeakyRelu{static_cast<float>(slope)}, y, x);
}

void leaky_relu_backward(Context& context, const View& dy, const View& x, double slope,
                         const View& dx) {
  elementwise_floating(context, "leaky_relu_backward", LeakyReluBackward{static_cast<float>(slope)},
                       dx, dy, x);
}

void clamp(Context& context, const View& x, double low, double high, const View& y) {
  elementwise_floating(context, "clamp", Clamp{static_cast<float>(low), static_cast<float>(high)},
                       y, x);
}

void clamp_backward(Context& context, const View& dy, const View& x, double low, double high,
                    const View& dx) {
  elementwise_floating(context, "clamp_backward",
                       ClampBackward{static_cast<float>(low), static_cast<float>(high)}, dx, dy, x);
}

}  // namespace GESTALT_CUDA_NAMESPACE
