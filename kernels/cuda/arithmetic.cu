// Sums, products and powers of elements.

#include "kernels/cuda/device/operations.cuh"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"

namespace GESTALT_CUDA_NAMESPACE {

void add(Context& context, const View& a, const View& b, const View& y) {
  elementwise_floating(context, "add", Add{}, y, a, b);
}

void subtract(Context& context, const View& a, const View& b, const View& y) {
  elementwise_floating(context, "subtract", Subtract{}, y, a, b);
}

void multiply(Context& context, const View& a, const View& b, const View& y) {
  elementwise_floating(context, "multiply", Multiply{}, y, a, b);
}

void divide(Context& context, const View& a, const View& b, const View& y) {
  elementwise_floating(context, "divide", Divide{}, y, a, b);
}

void add_scaled(Context& context, const View& a, const View& b, double scale, const View& y) {
  elementwise_floating(context, "add_scaled", AddScaled{static_cast<float>(scale)}, y, a, b);
}

void add_scalar(Context& context, const View& x, double scalar, const View& y) {
  if (y.dtype == DType::i64) {
    elementwise<int64_t, int64_t>(context, "add_scalar", AddWhole{static_cast<int64_t>(scalar)}, y,
                                  x);
    return;
  }
  elementwise_floating(context, "add_scalar", AddScalar{static_cast<float>(scalar)}, y, x);
}

void multiply_scalar(Context& context, const View& x, double scalar, const View& y) {
  elementwise_floating(context, "multiply_scalar", MultiplyScalar{static_cast<float>(scalar)}, y,
                       x);
}

void power_scalar(Context& context, const View& x, double exponent, const View& y) {
  constexpr const char* name = "power_scalar";
  if (exponent == 2) {
    elementwise_floating(context, name, Square{}, y, x);
  } else if (exponent == 3) {
    elementwise_floating(context, name, Cube{}, y, x);
  } else {
    elementwise_floating(context, name, Power{static_cast<float>(exponent)}, y, x);
  }
}

void power_scalar_backward(Context& context, const View& dy, const View& x, double exponent,
                           const View& dx) {
  const PowerBackward op{static_cast<float>(exponent), static_cast<float>(exponent - 1)};
  elementwise_floating(context, "power_scalar_backward", op, dx, dy, x);
}

}  // namespace GESTALT_CUDA_NAMESPACE
