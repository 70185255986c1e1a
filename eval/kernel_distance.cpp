#include "eval/kernel_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "eval/matrix.h"
#include "eval/numpy_random.h"
#include "eval/rounding.h"
#include "kernels/error.h"

namespace gestalt::eval {
namespace {

Matrix matrix_of(const Tensor& features) {
  GESTALT_CHECK(features.rank() == 2 && features.size(0) >= 2 && features.size(1) >= 1,
                "[kid] expected features [n,d] with n >= 2, got {}", features);
  return {features.size(0), features.size(1), features.to_vector<double>()};
}

Matrix rows_of(const Matrix& x, const std::vector<int64_t>& indices) {
  Matrix y(static_cast<int64_t>(indices.size()), x.columns);
  for (int64_t i = 0; i < y.rows; ++i) {
    std::copy_n(x.row(indices[i]), x.columns, &y(i, 0));
  }
  return y;
}

// The sum of the kernel over all pairs, or over those of different indices; by rows, so that the
// rounding grows with their length and not with the number of pairs.
double kernel_sum(const Matrix& x, const Matrix& y, bool with_diagonal) {
  const Matrix dots = row_products(x, y);
  const double scale = 1 / static_cast<double>(x.columns);
  double sum = 0;
  for (int64_t i = 0; i < dots.rows; ++i) {
    double of_row = 0;
    for (int64_t j = 0; j < dots.columns; ++j) {
      const double value = dots(i, j) * scale + 1;
      if (with_diagonal || i != j) of_row += value * value * value;
    }
    sum += of_row;
  }
  return sum;
}

struct Discrepancy {
  double value = 0, terms = 0;  // squared; the size of the terms it is the difference of
};

Discrepancy squared_discrepancy(const Matrix& x, const Matrix& y) {
  const double m = static_cast<double>(x.rows);
  const double within = (kernel_sum(x, x, false) + kernel_sum(y, y, false)) / (m * (m - 1));
  const double value = within - 2 * kernel_sum(x, y, true) / (m * m);
  return {is_rounding(value, within) ? 0 : value, std::abs(within)};
}

}  // namespace

KernelDistance kernel_distance(const Tensor& features1, const Tensor& features2,
                               const KernelDistanceOptions& options) {
  const Matrix x = matrix_of(features1), y = matrix_of(features2);
  GESTALT_CHECK(x.columns == y.columns, "[kid] expected features of equal width, got {} and {}",
                x.columns, y.columns);
  GESTALT_CHECK(options.subsets >= 1 && options.subset_size >= 2,
                "[kid] expected at least one subset of at least two, got {} of {}", options.subsets,
                options.subset_size);
  const int64_t size = std::min({options.subset_size, x.rows, y.rows});
  NumpyRandomState random(options.seed);
  std::vector<double> values;
  double terms = 0;
  for (int64_t i = 0; i < options.subsets; ++i) {
    if (options.interrupted && options.interrupted()) return {.interrupted = true};
    const Matrix first = rows_of(x, random.choice(x.rows, size));
    const Matrix second = rows_of(y, random.choice(y.rows, size));
    const Discrepancy discrepancy = squared_discrepancy(first, second);
    values.push_back(discrepancy.value);
    terms = std::max(terms, discrepancy.terms);
  }
  double mean = 0, square = 0;
  for (const double value : values) mean += value / static_cast<double>(values.size());
  for (const double value : values) {
    square += (value - mean) * (value - mean) / static_cast<double>(values.size());
  }
  double deviation = std::sqrt(square);
  if (is_rounding(deviation, terms)) deviation = 0;  // where all subsets are whole sets
  if (values.size() == 1) deviation = std::numeric_limits<double>::quiet_NaN();
  return {mean, deviation, size};
}

}  // namespace gestalt::eval
