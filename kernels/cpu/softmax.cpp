// softmax, log_softmax and the classification loss over contiguous rows [N,C].

#include <cmath>
#include <limits>

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/parallel.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

// body(row, first element) in parallel; rows are the last dimension.
template <class F>
void for_rows(const View& like, const F& body) {
  const int64_t length = like.shape[-1];
  const int64_t rows = length == 0 ? 0 : like.numel() / length;
  parallel_for(rows, 1 + 4096 / std::max<int64_t>(length, 1), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row, row * length);
  });
}

// The largest value. NaN are passed over: they make the sums NaN.
template <class T, class Sum = accumulate_t<T>>
Sum largest(const T* x, int64_t length) {
  Sum most = -std::numeric_limits<Sum>::infinity();
  for (int64_t c = 0; c < length; ++c) {
    const Sum value = static_cast<Sum>(x[c]);
    if (value > most) most = value;
  }
  return most;
}

template <class T, class Sum = accumulate_t<T>>
Sum sum_of_exp(const T* x, int64_t length, Sum most) {
  Sum sum = 0;
  for (int64_t c = 0; c < length; ++c) sum += std::exp(static_cast<Sum>(x[c]) - most);
  return sum;
}

int64_t checked_target(const View& target, int64_t row, int64_t classes) {
  const int64_t index = target.as<int64_t>()[row * target.strides[0]];
  GESTALT_CHECK(index >= 0 && index < classes,
                "[cross_entropy] target {} of row {} is not one of the {} classes", index, row,
                classes);
  return index;
}

}  // namespace

void softmax_forward(Context&, const View& x, const View& y) {
  const int64_t length = x.shape[-1];
  dispatch<FloatTypes>("softmax_forward", x, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    for_rows(x, [&](int64_t, int64_t base) {
      const T* in = x.as<T>() + base;
      T* out = y.as<T>() + base;
      const Sum most = largest(in, length);
      const Sum sum = sum_of_exp(in, length, most);
      for (int64_t c = 0; c < length; ++c) {
        out[c] = T(std::exp(static_cast<Sum>(in[c]) - most) / sum);
      }
    });
  });
}

void softmax_backward(Context&, const View& dy, const View& y, const View& dx) {
  const int64_t length = y.shape[-1];
  dispatch<FloatTypes>("softmax_backward", y, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    for_rows(y, [&](int64_t, int64_t base) {
      const T* grad = dy.as<T>() + base;
      const T* probability = y.as<T>() + base;
      T* out = dx.as<T>() + base;
      Sum dot = 0;
      for (int64_t c = 0; c < length; ++c) {
        dot += static_cast<Sum>(grad[c]) * static_cast<Sum>(probability[c]);
      }
      for (int64_t c = 0; c < length; ++c) {
        out[c] = T(static_cast<Sum>(probability[c]) * (static_cast<Sum>(grad[c]) - dot));
      }
    });
  });
}

void log_softmax_forward(Context&, const View& x, const View& y) {
  const int64_t length = x.shape[-1];
  dispatch<FloatTypes>("log_softmax_forward", x, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    for_rows(x, [&](int64_t, int64_t base) {
      const T* in = x.as<T>() + base;
      T* out = y.as<T>() + base;
      const Sum most = largest(in, length);
      const Sum log_sum = std::log(sum_of_exp(in, length, most));
      for (int64_t c = 0; c < length; ++c) out[c] = T(static_cast<Sum>(in[c]) - most - log_sum);
    });
  });
}

void log_softmax_backward(Context&, const View& dy, const View& y, const View& dx) {
  const int64_t length = y.shape[-1];
  dispatch<FloatTypes>("log_softmax_backward", y, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    for_rows(y, [&](int64_t, int64_t base) {
      const T* grad = dy.as<T>() + base;
      const T* log_probability = y.as<T>() + base;
      T* out = dx.as<T>() + base;
      Sum sum = 0;
      for (int64_t c = 0; c < length; ++c) sum += static_cast<Sum>(grad[c]);
      for (int64_t c = 0; c < length; ++c) {
        out[c] =
            T(static_cast<Sum>(grad[c]) - std::exp(static_cast<Sum>(log_probability[c])) * sum);
      }
    });
  });
}

void nll_forward(Context&, const View& log_probabilities, const View& target, double scale,
                 double label_smoothing, const View& loss) {
  const int64_t rows = log_probabilities.shape[0];
  const int64_t classes = log_probabilities.shape[1];
  dispatch<FloatTypes>("nll_forward", log_probabilities, [&]<class T>(std::type_identity<T>) {
    double sum = 0;
    for (int64_t row = 0; row < rows; ++row) {
      const T* log_probability = log_probabilities.as<T>() + row * classes;
      const int64_t index = checked_target(target, row, classes);
      sum += (1 - label_smoothing) * static_cast<double>(log_probability[index]);
      if (label_smoothing != 0) {
        double all = 0;
        for (int64_t c = 0; c < classes; ++c) all += static_cast<double>(log_probability[c]);
        sum += label_smoothing / classes * all;
      }
    }
    *loss.as<accumulate_t<T>>() = static_cast<accumulate_t<T>>(-scale * sum);
  });
}

void cross_entropy_backward(Context&, const View& dloss, const View& log_probabilities,
                            const View& target, double scale, double label_smoothing,
                            const View& dlogits) {
  const int64_t classes = log_probabilities.shape[1];
  dispatch<FloatTypes>(
      "cross_entropy_backward", log_probabilities, [&]<class T>(std::type_identity<T>) {
        using Sum = accumulate_t<T>;
        const Sum factor = static_cast<Sum>(*dloss.as<Sum>() * scale);
        const Sum everywhere = static_cast<Sum>(label_smoothing / classes);
        const Sum at_target = static_cast<Sum>(1 - label_smoothing);
        for_rows(log_probabilities, [&](int64_t row, int64_t base) {
          const T* log_probability = log_probabilities.as<T>() + base;
          T* out = dlogits.as<T>() + base;
          const int64_t index = checked_target(target, row, classes);
          for (int64_t c = 0; c < classes; ++c) {
            Sum gradient = std::exp(static_cast<Sum>(log_probability[c])) - everywhere;
            if (c == index) gradient -= at_target;
            out[c] = T(factor * gradient);
          }
        });
      });
}

}  // namespace gestalt::cpu
