// Comparisons of elements, and choices by them.

#include "kernels/cuda/device/compare.cuh"
#include "kernels/cuda/element_size.h"
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/kernels.h"

namespace GESTALT_CUDA_NAMESPACE {

void compare(Context& context, const View& a, const View& b, Comparison comparison, const View& y) {
  using Types = TypeList<float, bfloat16, float16, int64_t, uint8_t>;
  dispatch<Types>("compare", a, [&]<class T>(std::type_identity<T>) {
    elementwise<uint8_t, T, T>(context, "compare", Compare{comparison}, y, a, b);
  });
}

void maximum(Context& context, const View& a, const View& b, const View& y) {
  elementwise_floating(context, "maximum", Extreme{true}, y, a, b);
}

void minimum(Context& context, const View& a, const View& b, const View& y) {
  elementwise_floating(context, "minimum", Extreme{false}, y, a, b);
}

void maximum_backward(Context& context, const View& dy, const View& a, const View& b,
                      const View& da) {
  elementwise_floating(context, "maximum_backward", MaximumBackward{}, da, dy, a, b);
}

void where(Context& context, const View& condition, const View& a, const View& b, const View& y) {
  dispatch_size(y.dtype, [&]<class T>(std::type_identity<T>) {
    elementwise<T, uint8_t, T, T>(context, "where", Choose{}, y, condition, a, b);
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
