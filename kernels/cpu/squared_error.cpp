// squared_error = scale * sum (a-b)^2, and its gradient.

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/reduce.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

template <class T>
struct SquaredError {
  using Value = double;
  double scale;
  static double identity() { return 0; }
  static double map(T a, T b) {
    const double difference = static_cast<double>(a) - static_cast<double>(b);
    return difference * difference;
  }
  static double combine(double a, double b) { return a + b; }
  accumulate_t<T> finish(double sum) const { return static_cast<accumulate_t<T>>(scale * sum); }
};

}  // namespace

void squared_error(Context& context, const View& a, const View& b, double scale, const View& y) {
  dispatch<FloatTypes>("squared_error", a, [&]<class T>(std::type_identity<T>) {
    reduce<accumulate_t<T>, T, T>(context, SquaredError<T>{scale}, as_single(y, a), a, b);
  });
}

void squared_error_backward(Context&, const View& dy, const View& a, const View& b, double scale,
                            const View& da) {
  if (da.numel() == 0) return;
  dispatch<FloatTypes>("squared_error_backward", a, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Sum factor = static_cast<Sum>(2 * scale * *dy.as<Sum>());
    elementwise<T, T, T>(
        [factor](T left, T right) {
          return T(factor * (static_cast<Sum>(left) - static_cast<Sum>(right)));
        },
        da, a, b);
  });
}

}  // namespace gestalt::cpu
