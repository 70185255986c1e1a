// Losses summed over elements: squared and absolute errors, binary cross-entropy.

#include "kernels/cuda/device/losses.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/reduce.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {

void squared_error(Context& context, const View& a, const View& b, double scale, const View& y) {
  dispatch<DeviceFloatTypes>("squared_error", a, [&]<class T>(std::type_identity<T>) {
    reduce<float, T, T>(context, "squared_error", SquaredError{{static_cast<float>(scale)}},
                        as_single(y, a), a, b);
  });
}

void squared_error_backward(Context& context, const View& dy, const View& a, const View& b,
                            double scale, const View& da) {
  elementwise_floating(context, "squared_error_backward",
                       SquaredErrorBackward{{dy.as<float>(), static_cast<float>(2 * scale)}}, da, a,
                       b);
}

void absolute_error(Context& context, const View& a, const View& b, double scale, const View& y) {
  dispatch<DeviceFloatTypes>("absolute_error", a, [&]<class T>(std::type_identity<T>) {
    reduce<float, T, T>(context, "absolute_error", AbsoluteError{{static_cast<float>(scale)}},
                        as_single(y, a), a, b);
  });
}

void absolute_error_backward(Context& context, const View& dy, const View& a, const View& b,
                             double scale, const View& da) {
  elementwise_floating(context, "absolute_error_backward",
                       AbsoluteErrorBackward{{dy.as<float>(), static_cast<float>(scale)}}, da, a,
                       b);
}

void binary_cross_entropy_forward(Context& context, const View& x, const View& target, double scale,
                                  const View& y) {
  constexpr const char* name = "binary_cross_entropy_forward";
  dispatch<TypeList<float>>(name, x, [&](std::type_identity<float>) {
    reduce<float, float, float>(context, name, BinaryCrossEntropy{{static_cast<float>(scale)}},
                                as_single(y, x), x, target);
  });
}

void binary_cross_entropy_backward(Context& context, const View& dy, const View& x,
                                   const View& target, double scale, const View& dx) {
  constexpr const char* name = "binary_cross_entropy_backward";
  dispatch<TypeList<float>>(name, x, [&](std::type_identity<float>) {
    elementwise<float, float, float>(
        context, name, BinaryCrossEntropyBackward{{dy.as<float>(), static_cast<float>(scale)}}, dx,
        x, target);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
