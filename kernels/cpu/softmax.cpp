// softmax, log_softmax and the classification loss over contiguous rows [N,C].

#include <cmath>
#include <limits>
#include <memory>

#include "kernels/cpu/elementary_runs.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/lanes.h"
#include "kernels/dispatch.h"
#include "kernels/parallel.h"

namespace gestalt::cpu {
namespace {

// body(first row, last row + 1) in parallel; rows are the last dimension.
template <class F>
void for_parts(const View& like, const F& body) {
  const int64_t length = like.shape[-1];
  const int64_t rows = length == 0 ? 0 : like.numel() / length;
  parallel_for(rows, 1 + 4096 / std::max<int64_t>(length, 1), body);
}

// body(first element of a row)
template <class F>
void for_rows(const View& like, const F& body) {
  for_parts(like, [&, length = like.shape[-1]](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row * length);
  });
}

// body(row, its first element, scratch); scratch[length] is the thread's own.
template <class T, class F>
void for_rows_with_scratch(const View& like, const F& body) {
  for_parts(like, [&, length = like.shape[-1]](int64_t begin, int64_t end) {
    const auto scratch =
        std::make_unique_for_overwrite<accumulate_t<T>[]>(static_cast<size_t>(length));
    for (int64_t row = begin; row < end; ++row) body(row, row * length, scratch.get());
  });
}

// The fold of f(LaneCount, i) over a row: four vectors side by side first, then what they hold,
// then the elements that fill no vector.
template <class T, class F, class Combine>
accumulate_t<T> fold_row(int64_t length, accumulate_t<T> first, const F& f,
                         const Combine& combine) {
  constexpr int lanes = full_lanes<T>, vectors = 4;
  using Values = Lanes<accumulate_t<T>, lanes>;
  Values folded[vectors];
  for (Values& values : folded) values = repeated_lanes<lanes>(first);
  int64_t i = 0;
  for (; i + vectors * lanes <= length; i += vectors * lanes) {
    for (int v = 0; v < vectors; ++v) {
      folded[v] = combine(folded[v], f(LaneCount<lanes>{}, i + v * lanes));
    }
  }
  for (; i + lanes <= length; i += lanes) folded[0] = combine(folded[0], f(LaneCount<lanes>{}, i));
  const Values all = combine(combine(folded[0], folded[1]), combine(folded[2], folded[3]));
  accumulate_t<T> result = all[0];
  for (int j = 1; j < lanes; ++j) result = combine(result, accumulate_t<T>(all[j]));
  for (; i < length; ++i) result = combine(result, f(LaneCount<1>{}, i));
  return result;
}

// The largest value. NaN are passed over: they make the sums NaN.
template <class T, class Sum = accumulate_t<T>>
Sum largest(const T* x, int64_t length) {
  return fold_row<T>(
      length, -std::numeric_limits<Sum>::infinity(),
      [x]<int lanes>(LaneCount<lanes>, int64_t i) { return load_lanes<lanes>(x + i); },
      [](auto most, auto value) { return larger(value, most); });
}

template <class T, class F>
accumulate_t<T> sum_row(int64_t length, const F& f) {
  return fold_row<T>(length, 0, f, [](auto sum, auto value) { return sum + value; });
}

template <class Sum>
Sum sum_row(const Sum* x, int64_t length) {
  return sum_row<Sum>(
      length, [x]<int lanes>(LaneCount<lanes>, int64_t i) { return load_lanes<lanes>(x + i); });
}

// y[i] = f(LaneCount, i) for the elements of a row.
template <class T, class F>
void write_row(T* y, int64_t length, const F& f) {
  for_lanes<T>(length, [&]<int lanes>(LaneCount<lanes> count, int64_t i) {
    store_lanes<lanes>(narrow_lanes<T, lanes>(f(count, i)), y + i);
  });
}

// y[i] = exp(x[i] - most)
template <class T>
void exp_row(const T* x, accumulate_t<T> most, int64_t length, accumulate_t<T>* y) {
  if constexpr (std::is_same_v<T, double>) {
    for (int64_t i = 0; i < length; ++i) y[i] = std::exp(x[i] - most);
  } else if constexpr (std::is_same_v<T, float>) {
    elementary_runs().exp_below(x, most, length, y);
  } else {
    for_lanes<T>(length, [x, y]<int lanes>(LaneCount<lanes>, int64_t i) {
      store_lanes<lanes>(load_lanes<lanes>(x + i), y + i);
    });
    elementary_runs().exp_below(y, most, length, y);
  }
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
    for_rows_with_scratch<T>(x, [&](int64_t, int64_t base, Sum* exponentials) {
      const T* in = x.as<T>() + base;
      exp_row(in, largest(in, length), length, exponentials);
      const Sum sum = sum_row(exponentials, length);
      write_row(y.as<T>() + base, length, [=]<int lanes>(LaneCount<lanes>, int64_t i) {
        return load_lanes<lanes>(exponentials + i) / sum;
      });
    });
  });
}

void softmax_backward(Context&, const View& dy, const View& y, const View& dx) {
  const int64_t length = y.shape[-1];
  dispatch<FloatTypes>("softmax_backward", y, [&]<class T>(std::type_identity<T>) {
    using Sum = accumulate_t<T>;
    for_rows(y, [&](int64_t base) {
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
    for_rows_with_scratch<T>(x, [&](int64_t, int64_t base, Sum* exponentials) {
      const T* in = x.as<T>() + base;
      const Sum most = largest(in, length);
      exp_row(in, most, length, exponentials);
      const Sum log_sum = std::log(sum_row(exponentials, length));
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
    for_rows_with_scratch<T>(y, [&](int64_t, int64_t base, Sum* probability) {
      const T* grad = dy.as<T>() + base;
      exp_row(y.as<T>() + base, Sum{0}, length, probability);
      const Sum sum = sum_row<T>(length, [grad]<int lanes>(LaneCount<lanes>, int64_t i) {
        return load_lanes<lanes>(grad + i);
      });
      write_row(dx.as<T>() + base, length, [=]<int lanes>(LaneCount<lanes>, int64_t i) {
        return load_lanes<lanes>(grad + i) - load_lanes<lanes>(probability + i) * sum;
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
        for_rows_with_scratch<T>(
            log_probabilities, [&](int64_t row, int64_t base, Sum* probability) {
              T* out = dlogits.as<T>() + base;
              const int64_t index = checked_target(target, row, classes);
              exp_row(log_probabilities.as<T>() + base, Sum{0}, classes, probability);
              const auto gradient = [=]<int lanes>(LaneCount<lanes>, int64_t i) {
                return load_lanes<lanes>(probability + i) - everywhere;
              };
              write_row(out, classes,
                        [=](auto lanes, int64_t i) { return factor * gradient(lanes, i); });
              out[index] = T(factor * (gradient(LaneCount<1>{}, index) - at_target));
            });
      });
}

}  // namespace gestalt::cpu
