// Losses summed over elements: squared and absolute errors, binary cross-entropy, and their
// gradients.

#include <cmath>

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/elementary_runs.h"
#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/reduce.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

// scale * the sum, in f64, of what a loss makes of an element.
template <class T>
struct LossSum {
  using Value = double;
  double scale;
  static double identity() { return 0; }
  template <class V>
  static V combine(V a, V b) {
    return a + b;
  }
  accumulate_t<T> finish(double sum) const { return static_cast<accumulate_t<T>>(scale * sum); }
};

template <class T>
struct SquaredError : LossSum<T> {
  template <class V>
  static auto map(V a, V b) {
    const auto difference = to_doubles(a) - to_doubles(b);
    return difference * difference;
  }
};

template <class T>
struct AbsoluteError : LossSum<T> {
  template <class V>
  static auto map(V a, V b) {
    return absolute(to_doubles(a) - to_doubles(b));
  }
};

template <class T>
struct BinaryCrossEntropy : LossSum<T> {
  template <class V>
  static auto map(V x, V target) {
    return to_doubles(binary_cross_entropy_lanes(x, target));
  }
  static void terms(int64_t count, float* y, const float* x,
                    const float* target) requires std::is_same_v<T, float> {
    elementary_runs().binary_cross_entropy(x, target, count, y);
  }
};

using StatTypes = TypeList<float, double>;

template <template <class> class Loss, class Types>
void sum_loss(Context& context, const char* name, Types, const View& a, const View& b, double scale,
              const View& y) {
  dispatch<Types>(name, a, [&]<class T>(std::type_identity<T>) {
    reduce<accumulate_t<T>, T, T>(context, Loss<T>{{scale}}, as_single(y, a), a, b);
  });
}

// da = f(scale * dy, a, b), f of lanes.
template <class F>
void loss_gradient(const char* name, const View& dy, const View& a, const View& b, double scale,
                   const View& da, const F& f) {
  if (da.numel() == 0) return;
  dispatch<FloatTypes>(name, a, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    const Sum factor = static_cast<Sum>(scale * *dy.as<Sum>());
    elementwise<T, T, T>(
        on_lanes([&f, factor](auto left, auto right) { return f(factor, left, right); }), da, a, b);
  });
}

}  // namespace

void squared_error(Context& context, const View& a, const View& b, double scale, const View& y) {
  sum_loss<SquaredError>(context, "squared_error", FloatTypes{}, a, b, scale, y);
}

void squared_error_backward(Context&, const View& dy, const View& a, const View& b, double scale,
                            const View& da) {
  loss_gradient("squared_error_backward", dy, a, b, 2 * scale, da,
                [](auto factor, auto a, auto b) { return factor * (a - b); });
}

void absolute_error(Context& context, const View& a, const View& b, double scale, const View& y) {
  sum_loss<AbsoluteError>(context, "absolute_error", FloatTypes{}, a, b, scale, y);
}

void absolute_error_backward(Context&, const View& dy, const View& a, const View& b, double scale,
                             const View& da) {
  loss_gradient("absolute_error_backward", dy, a, b, scale, da, [](auto factor, auto a, auto b) {
    const decltype(a) none{}, less = none - factor, more = none + factor;
    const auto if_less = a < b ? less : none;
    return a > b ? more : if_less;
  });
}

void binary_cross_entropy_forward(Context& context, const View& x, const View& target, double scale,
                                  const View& y) {
  sum_loss<BinaryCrossEntropy>(context, "binary_cross_entropy_forward", StatTypes{}, x, target,
                               scale, y);
}

void binary_cross_entropy_backward(Context&, const View& dy, const View& x, const View& target,
                                   double scale, const View& dx) {
  if (x.numel() == 0) return;
  dispatch<StatTypes>("binary_cross_entropy_backward", x, [&]<class T>(std::type_identity<T>) {
    const T factor = static_cast<T>(scale * *dy.as<T>());
    if constexpr (std::is_same_v<T, float>) {
      elementwise<T, T, T>(on_runs([factor](int64_t count, T* y, const T* x, const T* target) {
                             elementary_runs().binary_cross_entropy_gradient(factor, x, target,
                                                                             count, y);
                           }),
                           dx, x, target);
    } else {
      elementwise<T, T, T>([factor](T x, T target) { return factor * (sigmoid_lanes(x) - target); },
                           dx, x, target);
    }
  });
}

}  // namespace gestalt::cpu
