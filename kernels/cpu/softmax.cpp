// softmax, log_softmax and the classification loss over contiguous rows [N,C].

#include <cmath>
#include <limits>

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/lanes.h"
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

// The fold of f(LaneCount, i) over a row: lanes side by side first, then what they hold, then the
// elements that fill no vector.
template <class T, class F, class Combine>
accumulate_t<T> fold_row(int64_t length, accumulate_t<T> first, const F& f,
                         const Combine& combine) {
  constexpr int lanes = full_lanes<T>;
  Lanes<accumulate_t<T>, lanes> folded = Lanes<accumulate_t<T>, lanes>{} + first;
  int64_t i = 0;
  for (; i + lanes <= length; i += lanes) folded = combine(folded, f(LaneCount<lanes>{}, i));
  accumulate_t<T> result = folded[0];
  for (int j = 1; j < lanes; ++j) result = combine(result, accumulate_t<T>(folded[j]));
  for (; i < length; ++i) result = combine(result, f(LaneCount<1>{}, i));
  return result;
}

// The largest value. NaN are passed over: they make the sums NaN.
template <class T, class Sum = accumulate_t<T>>
Sum largest(const T* x, int64_t length) {
  return fold_row<T>(
      length, -std::numeric_limits<Sum>::infinity(),
      [x]<int lanes>(LaneCount<lanes>, int64_t i) { return load_lanes<lanes>(x + i); },
      [](auto most, auto value) { return value > most ? value : most; });
}

template <class T, class F>
accumulate_t<T> sum_row(int64_t length, const F& f) {
  return fold_row<T>(length, 0, f, [](auto sum, auto value) { return sum + value; });
}

// y[i] = f(LaneCount, i) for the elements of a row.
template <class T, class F>
void write_row(T* y, int64_t length, const F& f) {
  for_lanes<T>(length, [&]<int lanes>(LaneCount<lanes> count, int64_t i) {
    store_lanes<lanes>(narrow_lanes<T, lanes>(f(count, i)), y + i);
  });
}

// exp(x[i] - most), for the functions above.
template <class T>
auto exp_of_row(const T* x, accumulate_t<T> most) {
  return [x, most]<int lanes>(LaneCount<lanes>, int64_t i) {
    return exp_lanes(load_lanes<lanes>(x + i) - most);
  };
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
      const auto exponential = exp_of_row(in, largest(in, length));
      if constexpr (std::is_same_v<T, Sum>) {  // kept in y
        const Sum sum = sum_row<T>(length, [&]<int lanes>(LaneCount<lanes> count, int64_t i) {
          const auto values = exponential(count, i);
          store_lanes<lanes>(values, out + i);
          return values;
        });
        write_row(out, length, [out, sum]<int lanes>(LaneCount<lanes>, int64_t i) {
          return load_lanes<lanes>(out + i) / sum;
        });
      } else {
        const Sum sum = sum_row<T>(length, exponential);
        write_row(out, length, [&](auto count, int64_t i) { return exponential(count, i) / sum; });
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
      const Sum dot = sum_row<T>(length, [=]<int lanes>(LaneCount<lanes>, int64_t i) {
        return load_lanes<lanes>(grad + i) * load_lanes<lanes>(probability + i);
      });
      write_row(dx.as<T>() + base, length, [=]<int lanes>(LaneCount<lanes>, int64_t i) {
        return load_lanes<lanes>(probability + i) * (load_lanes<lanes>(grad + i) - dot);
      });
    });
  });
}

void log_softmax_forward(Context&, const View& x, const View& y) {
  const int64_t length = x.shape[-1];
  dispatch<FloatTypes>("log_softmax_forward", x, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    for_rows(x, [&](int64_t, int64_t base) {
      const T* in = x.as<T>() + base;
      const Sum most = largest(in, length);
      const Sum log_sum = std::log(sum_row<T>(length, exp_of_row(in, most)));
      write_row(y.as<T>() + base, length, [=]<int lanes>(LaneCount<lanes>, int64_t i) {
        return load_lanes<lanes>(in + i) - most - log_sum;
      });
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
      const Sum sum = sum_row<T>(length, [grad]<int lanes>(LaneCount<lanes>, int64_t i) {
        return load_lanes<lanes>(grad + i);
      });
      write_row(dx.as<T>() + base, length, [=]<int lanes>(LaneCount<lanes>, int64_t i) {
        return load_lanes<lanes>(grad + i) -
               exp_lanes(load_lanes<lanes>(log_probability + i)) * sum;
      });
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
          const auto gradient = [=]<int lanes>(LaneCount<lanes>, int64_t i) {
            return exp_lanes(load_lanes<lanes>(log_probability + i)) - everywhere;
          };
          write_row(out, classes,
                    [=](auto lanes, int64_t i) { return factor * gradient(lanes, i); });
          out[index] = T(factor * (gradient(LaneCount<1>{}, index) - at_target));
        });
      });
}

}  // namespace gestalt::cpu
