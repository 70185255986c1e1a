// Sums, maxima and norms.

#include "kernels/cpu/reduce.h"

#include <cmath>
#include <limits>

#include "kernels/cpu/image.h"
#include "kernels/cpu/kernels.h"

namespace gestalt::cpu {
namespace {

// Sums are kept in f64 whatever is summed.
template <class T>
struct WideSum {
  using Value = double;
  double scale = 1;
  static double identity() { return 0; }
  template <class V>
  static auto map(V x) {
    return to_doubles(x);
  }
  template <class V>
  static V combine(V a, V b) {
    return a + b;
  }
  accumulate_t<T> finish(double sum) const { return static_cast<accumulate_t<T>>(scale * sum); }
};

// Conversions to f64 would take longer than the memory: four elements are added in f32, so that
// each is rounded twice. Sums in f32 alone, in PyTorch's order, had two to five times the error on
// uniform numbers.
template <class T>
struct Sum : WideSum<T> {
  template <class V>
  static V merge(V a, V b, V c, V d) requires(!std::is_same_v<T, double>) {
    return (a + b) + (c + d);
  }
};

template <class T>
struct Dot : WideSum<T> {
  template <class V>
  static auto map(V a, V b) {
    return to_doubles(a) * to_doubles(b);
  }
};

template <class T>
struct AbsoluteSum : WideSum<T> {
  template <class V>
  static auto map(V x) {
    return to_doubles(absolute(x));
  }
};

// NaN wins: once in, no comparison puts it out.
template <class T>
struct Max {
  using Value = accumulate_t<T>;
  static Value identity() { return -std::numeric_limits<Value>::infinity(); }
  template <class V>
  static V map(V x) {
    return x;
  }
  template <class V>
  static V combine(V a, V b) {
    return ((b > a) | (b != b)) ? b : a;
  }
  Value finish(Value value) const { return value; }
};

template <class T>
struct Min : Max<T> {
  using Value = typename Max<T>::Value;
  static Value identity() { return std::numeric_limits<Value>::infinity(); }
  template <class V>
  static V combine(V a, V b) {
    return ((b < a) | (b != b)) ? b : a;
  }
};

template <class T>
struct AbsoluteMax : Max<T> {
  using Value = typename Max<T>::Value;
  static Value identity() { return 0; }
  template <class V>
  static V map(V x) {
    return absolute(x);
  }
};

}  // namespace

void sum(Context& context, const View& x, double scale, const View& y) {
  dispatch<FloatTypes>("sum", x, [&]<class T>(std::type_identity<T>) {
    Sum<T> reduction;
    reduction.scale = scale;
    reduce<T, T>(context, reduction, y, x);
  });
}

void sum_channels(Context&, const View& x_view, const View& y) {
  dispatch<FloatTypes>("sum_channels", x_view, [&]<class T>(std::type_identity<T>) {
    using Value = accumulate_t<T>;
    const Image<T> x(x_view);
    parallel_for(x.c, grain(x.n * x.plane_size()), [&](int64_t c0, int64_t c1) {
      for (int64_t c = c0; c < c1; ++c) {
        // Rows are summed first: long f32 sums keep their digits.
        Value total = 0;
        for (int64_t n = 0; n < x.n; ++n) {
          Value plane = 0;
          for (int64_t h = 0; h < x.h; ++h) {
            Value row = 0;
            for (int64_t w = 0; w < x.w; ++w) row += static_cast<Value>(x(n, c, h, w));
            plane += row;
          }
          total += plane;
        }
        y.as<T>()[c * y.strides[0]] = static_cast<T>(total);
      }
    });
  });
}

void max(Context& context, const View& x, const View& y) {
  dispatch<FloatTypes>(
      "max", x, [&]<class T>(std::type_identity<T>) { reduce<T, T>(context, Max<T>{}, y, x); });
}

void min(Context& context, const View& x, const View& y) {
  dispatch<FloatTypes>(
      "min", x, [&]<class T>(std::type_identity<T>) { reduce<T, T>(context, Min<T>{}, y, x); });
}

void dot(Context& context, const View& a, const View& b, const View& y) {
  dispatch<FloatTypes>("dot", a, [&]<class T>(std::type_identity<T>) {
    reduce<accumulate_t<T>, T, T>(context, Dot<T>{}, as_single(y, a), a, b);
  });
}

void absolute_norm(Context& context, const View& a, int order, const View& y) {
  GESTALT_CHECK(order == 0 || order == 1, "[absolute_norm] expected order 0 or 1, got {}", order);
  dispatch<FloatTypes>("absolute_norm", a, [&]<class T>(std::type_identity<T>) {
    if (order == 1) {
      reduce<accumulate_t<T>, T>(context, AbsoluteSum<T>{}, as_single(y, a), a);
    } else {
      reduce<accumulate_t<T>, T>(context, AbsoluteMax<T>{}, as_single(y, a), a);
    }
  });
}

// The first NaN wins, as in max.
void argmax(Context&, const View& x, int dim, const View& y) {
  View first = x;  // element 0 of each line along dim
  first.shape[dim] = 1;
  const int64_t size = x.shape[dim];
  const int64_t step = x.strides[dim];
  const LoopNest<2> lines = make_loop_nest<2>({&y, &first});
  dispatch<FloatTypes>("argmax", x, [&]<class T>(std::type_identity<T>) {
    using Value = accumulate_t<T>;
    parallel_for(lines.numel, std::max<int64_t>(1, 32768 / std::max<int64_t>(1, size)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t line = begin; line < end; ++line) {
                     const auto offset = detail::nest_offsets(lines, line);
                     const T* from = x.as<T>() + offset[1];
                     int64_t best = 0;
                     Value most = static_cast<Value>(from[0]);
                     for (int64_t i = 1; i < size && most == most; ++i) {
                       const Value value = static_cast<Value>(from[i * step]);
                       if (value > most || value != value) {
                         most = value;
                         best = i;
                       }
                     }
                     y.as<int64_t>()[offset[0]] = best;
                   }
                 });
  });
}

}  // namespace gestalt::cpu
