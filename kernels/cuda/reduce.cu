// Sums, maxima and norms.

#include "kernels/cuda/device/operations.cuh"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/reduce.h"
#include "kernels/dispatch.h"

namespace GESTALT_CUDA_NAMESPACE {

void sum(Context& context, const View& x, double scale, const View& y) {
  dispatch<DeviceFloatTypes>("sum", x, [&]<class T>(std::type_identity<T>) {
    reduce<T, T>(context, "sum", SumOf<T>{static_cast<float>(scale)}, y, x);
  });
}

void max(Context& context, const View& x, const View& y) {
  dispatch<DeviceFloatTypes>("max", x, [&]<class T>(std::type_identity<T>) {
    reduce<T, T>(context, "max", MaxOf<T>{}, y, x);
  });
}

void min(Context& context, const View& x, const View& y) {
  dispatch<DeviceFloatTypes>("min", x, [&]<class T>(std::type_identity<T>) {
    reduce<T, T>(context, "min", MinOf<T>{}, y, x);
  });
}

// Only `dim` is folded, so that its elements keep their numbers.
void argmax(Context& context, const View& x, int, const View& y) {
  dispatch<DeviceFloatTypes>("argmax", x, [&]<class T>(std::type_identity<T>) {
    reduce<int64_t, T>(context, "argmax", ArgMax{}, y, x);
  });
}

void dot(Context& context, const View& a, const View& b, const View& y) {
  dispatch<DeviceFloatTypes>("dot", a, [&]<class T>(std::type_identity<T>) {
    reduce<float, T, T>(context, "dot", Dot{}, as_single(y, a), a, b);
  });
}

void sum_channels(Context& context, const View& x, const View& y) {
  View sums = y;
  sums.shape = {1, y.shape[0], 1, 1};
  sums.strides = {0, y.strides[0], 0, 0};
  dispatch<DeviceFloatTypes>("sum_channels", x, [&]<class T>(std::type_identity<T>) {
    reduce<T, T>(context, "sum_channels", SumOf<T>{1.0f}, sums, x);
  });
}

void absolute_norm(Context& context, const View& a, int order, const View& y) {
  GESTALT_CHECK(order == 0 || order == 1, "[absolute_norm] expected order 0 or 1, got {}", order);
  dispatch<DeviceFloatTypes>("absolute_norm", a, [&]<class T>(std::type_identity<T>) {
    if (order == 1) {
      reduce<float, T>(context, "absolute_norm", AbsoluteSum{{1.0f}}, as_single(y, a), a);
    } else {
      reduce<float, T>(context, "absolute_norm", AbsoluteMax{}, as_single(y, a), a);
    }
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
