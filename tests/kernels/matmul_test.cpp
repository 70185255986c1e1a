// What the OpCases can't see of CPU products: bits that must not depend on threads, and layers
// large enough to be computed the other way round.

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <memory>
#include <ostream>
#include <vector>

#include "kernels/parallel.h"
#include "kernels/runtime.h"
#include "kernels/table.h"

namespace gestalt {
namespace {

std::vector<float> values(int64_t count, double phase) {
  std::vector<float> result(count);
  for (int64_t i = 0; i < count; ++i) {
    result[i] = static_cast<float>(std::sin(phase + 1.7 * static_cast<double>(i)));
  }
  return result;
}

struct Product {
  int64_t batch, m, n, k;
  bool across = false;  // b's memory is [batch, n, k], as a Linear layer's weight
  double alpha = 1, beta = 0;
};

std::ostream& operator<<(std::ostream& out, const Product& p) {
  return out << p.batch << " of " << p.m << "x" << p.n << "x" << p.k
             << (p.across ? ", b across" : "") << ", alpha " << p.alpha << ", beta " << p.beta;
}

View view(const std::vector<float>& data, const Shape& shape, const Shape& strides) {
  return {const_cast<float*>(data.data()), DType::f32, {}, shape, strides};
}

// y begins with values, where it counts, else with NaN, and between its rows stands what must not
// be changed.
constexpr int64_t gap = 3;

std::vector<float> multiply(const Product& p) {
  const auto& [batch, m, n, k, across, alpha, beta] = p;
  const std::vector<float> a = values(batch * m * k, 0.1), b = values(batch * k * n, 0.2);
  std::vector<float> y = values(batch * m * (n + gap), 0.3);
  for (int64_t row = 0; beta == 0 && row < batch * m; ++row) {
    std::fill_n(y.begin() + row * (n + gap), n, std::numeric_limits<float>::quiet_NaN());
  }
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  context->kernels().matmul(
      *context, view(a, {batch, m, k}, {m * k, k, 1}),
      view(b, {batch, k, n}, across ? Shape{k * n, 1, k} : Shape{k * n, n, 1}), alpha, beta,
      view(y, {batch, m, n}, {m * (n + gap), n + gap, 1}));
  return y;
}

// The other way round from 8 rows on and with many weights, from 16 with fewer.
const Product products[] = {{1, 37, 41, 5000},
                            {1, 300, 500, 700},
                            {1, 1, 1000, 3000},
                            {7, 33, 65, 129},
                            {1, 15, 515, 600, true},
                            {1, 16, 515, 600, true},
                            {1, 7, 4100, 4101, true},
                            {1, 9, 4100, 4101, true},
                            {2, 201, 389, 701, true, 1, 1},
                            {3, 70, 515, 600, true, 0.5, -2},
                            {1, 516, 515, 600, true}};

class Matmul : public testing::Test {
 protected:
  ~Matmul() override { set_num_threads(before_); }

 private:
  int before_ = num_threads();
};

TEST_F(Matmul, SameBitsForAnyThreadCount) {
  for (const Product& product : products) {
    set_num_threads(1);
    const std::vector<float> expected = multiply(product);
    for (int threads : {2, 3, 5, 8}) {
      set_num_threads(threads);
      EXPECT_EQ(multiply(product), expected) << product << "; " << threads << " threads";
    }
  }
}

TEST_F(Matmul, IsTheSumOfItsProducts) {
  for (const Product& product : products) {
    const auto& [batch, m, n, k, across, alpha, beta] = product;
    const std::vector<float> a = values(batch * m * k, 0.1), b = values(batch * k * n, 0.2);
    const std::vector<float> before = values(batch * m * (n + gap), 0.3);
    const std::vector<float> y = multiply(product);
    const double tolerance = 2e-6 * static_cast<double>(k);
    for (int64_t row = 0; row < batch * m; ++row) {
      // Every row begins and ends with elements that are looked at, of the rest some.
      for (int64_t j = 0; j < n + gap; j += j < 17 || j + 17 >= n ? 1 : 13) {
        const int64_t i = row * (n + gap) + j;
        double sum = 0;
        for (int64_t l = 0; l < k && j < n; ++l) {
          const int64_t at = row / m * k * n + (across ? j * k + l : l * n + j);
          sum += static_cast<double>(a[row * k + l]) * b[at];
        }
        const double expected = j < n ? alpha * sum + beta * before[i] : before[i];
        ASSERT_NEAR(y[i], expected, tolerance) << product << "; row " << row << ", column " << j;
      }
    }
  }
}

}  // namespace
}  // namespace gestalt
