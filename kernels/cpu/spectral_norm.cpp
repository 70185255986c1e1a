// Spectral normalization. An iteration of the power method reads the weight twice, the division
// once; the estimate of the singular value takes no pass of its own.

#include <algorithm>
#include <cmath>

#include "kernels/cpu/ivdep.h"
#include "kernels/cpu/kernels.h"
#include "kernels/cpu/widen.h"
#include "kernels/dispatch_rounded.h"
#include "kernels/parallel.h"
#include "kernels/rounding.h"

namespace gestalt::cpu {
namespace {

constexpr int64_t column_block = 1024;  // sums of one task, which stay in the first cache
constexpr int64_t task_elements = 16384;

// A dense weight as it lies in memory.
template <class T>
struct Matrix {
  const T* data;
  int64_t rows, columns;
  int64_t channels;  // that are neighbours in memory; 1: a row lies in its logical order

  explicit Matrix(const View& w)
      : data(w.as<T>()),
        rows(w.shape[0]),
        columns(w.numel() / std::max<int64_t>(rows, 1)),
        channels(w.is_contiguous() ? 1 : w.shape[1]) {}

  int64_t logical(int64_t column) const {
    return column % channels * (columns / channels) + column / channels;
  }
  int64_t rows_of_task() const { return 1 + task_elements / std::max<int64_t>(columns, 1); }
};

// y = M^T u
template <class T, class Sum = accumulate_t<T>>
void multiply_transposed(const Matrix<T>& m, const Sum* u, Sum* y) {
  const int64_t blocks = ceil_div(m.columns, column_block);
  parallel_for(blocks, 1 + task_elements / (column_block * std::max<int64_t>(m.rows, 1)),
               [&](int64_t first, int64_t last) {
                 const int64_t begin = first * column_block;
                 const int64_t count = std::min(m.columns, last * column_block) - begin;
                 Sum* sums = y + begin;
                 std::fill_n(sums, count, Sum(0));
                 for (int64_t at = 0; at < count; at += column_block) {
                   const int64_t width = std::min(column_block, count - at);
                   for (int64_t row = 0; row < m.rows; ++row) {
                     const T* w = m.data + row * m.columns + begin + at;
                     GESTALT_IVDEP
                     for (int64_t i = 0; i < width; ++i) sums[at + i] += widened(w[i]) * u[row];
                   }
                 }
               });
}

template <class T, class Sum = accumulate_t<T>>
Sum product(const T* a, const Sum* b, int64_t count) {
  constexpr int lanes = 32;
  Sum lane[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
#pragma omp simd
    for (int k = 0; k < lanes; ++k) lane[k] += widened(a[i + k]) * b[i + k];
  }
  for (int k = 0; i + k < count; ++k) lane[k] += widened(a[i + k]) * b[i + k];
  for (int width = lanes / 2; width > 0; width /= 2) {
    for (int k = 0; k < width; ++k) lane[k] += lane[k + width];
  }
  return lane[0];
}

// y = M x
template <class T, class Sum = accumulate_t<T>>
void multiply(const Matrix<T>& m, const Sum* x, Sum* y) {
  parallel_for(m.rows, m.rows_of_task(), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      y[row] = product(m.data + row * m.columns, x, m.columns);
    }
  });
}

// Scales x to length 1, from a length of at least epsilon.
template <class Sum>
void normalize(Sum* x, int64_t count, double epsilon) {
  const Sum length = std::max(std::sqrt(product(x, x, count)), static_cast<Sum>(epsilon));
  for (int64_t i = 0; i < count; ++i) x[i] /= length;
}

}  // namespace

void spectral_norm_forward(Context& context, const View& w, const View& u, const View& v,
                           int iterations, double epsilon, const View& left_view,
                           const View& right_view, const View& sigma, const View& y) {
  dispatch_rounded<FloatTypes>(
      "spectral_norm_forward", w, y,
      [&]<class T, class Y>(std::type_identity<T>, std::type_identity<Y>) {
        using Sum = accumulate_t<T>;
        const Matrix<T> m(w);
        Sum *left = left_view.as<Sum>(), *right = right_view.as<Sum>();
        Sum *u_data = u.as<Sum>(), *v_data = v.as<Sum>();
        auto* image = static_cast<Sum*>(context.workspace(m.rows * sizeof(Sum)));  // of right
        std::copy_n(u_data, m.rows, left);
        for (int64_t i = 0; i < m.columns; ++i) right[i] = v_data[m.logical(i)];
        for (int step = 0; step < iterations; ++step) {
          multiply_transposed(m, left, right);
          normalize(right, m.columns, epsilon);
          multiply(m, right, image);
          std::copy_n(image, m.rows, left);
          normalize(left, m.rows, epsilon);
        }
        if (iterations > 0) {
          std::copy_n(left, m.rows, u_data);
          for (int64_t i = 0; i < m.columns; ++i) v_data[m.logical(i)] = right[i];
        } else {
          multiply(m, right, image);
        }
        const Sum estimate = product(left, image, m.rows);
        *sigma.as<Sum>() = estimate;
        Y* out = y.as<Y>();
        parallel_for(m.rows * m.columns, task_elements, [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) out[i] = narrowed<Y>(widened(m.data[i]) / estimate);
        });
      });
}

// d(w / sigma) with sigma = left^T w right: (dy - <dy, y> left right^T) / sigma.
void spectral_norm_backward(Context& context, const View& dy, const View& y, const View& left_view,
                            const View& right_view, const View& sigma, const View& dw) {
  dispatch_rounded<FloatTypes>(
      "spectral_norm_backward", dw, dy,
      [&]<class T, class Y>(std::type_identity<T>, std::type_identity<Y>) {
        using Sum = accumulate_t<T>;
        const Matrix<Y> gradient(dy);
        const Sum *left = left_view.as<Sum>(), *right = right_view.as<Sum>();
        const Sum estimate = *sigma.as<Sum>();
        Sum along = 0;  // y
        dot(context, dy, y, {&along, dtype_of<Sum>, dy.device, Shape{1}, Shape{1}});
        T* out = dw.as<T>();
        parallel_for(gradient.rows, gradient.rows_of_task(), [&](int64_t begin, int64_t end) {
          for (int64_t row = begin; row < end; ++row) {
            const Y* from = gradient.data + row * gradient.columns;
            T* to = out + row * gradient.columns;
            const Sum factor = along * left[row];
            GESTALT_IVDEP
            for (int64_t i = 0; i < gradient.columns; ++i) {
              to[i] = narrowed<T>((widened(from[i]) - factor * right[i]) / estimate);
            }
          }
        });
      });
}

}  // namespace gestalt::cpu
