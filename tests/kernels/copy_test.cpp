// Copies that transpose: they go by blocks where x and y have unit stride along different
// dimensions.

#include <gtest/gtest.h>
#include <memory>
#include <numeric>
#include <vector>

#include "kernels/dispatch.h"
#include "kernels/parallel.h"
#include "kernels/runtime.h"
#include "kernels/table.h"

namespace gestalt {
namespace {

// y's dimensions lie in memory in the order given, x's as they are numbered; both with a gap
// between the largest parts, whose elements must stay.
template <class T>
void expect_copied(const Shape& shape, const std::vector<int>& order) {
  constexpr int64_t gap = 5;
  const auto strides_in = [&](const std::vector<int>& dimensions) {
    Shape strides = shape;
    int64_t stride = 1;
    for (size_t i = dimensions.size(); i-- > 0;) {
      strides[dimensions[i]] = stride + (i == 0 ? gap : 0);
      stride *= shape[dimensions[i]];
    }
    return strides;
  };
  std::vector<int> plain(shape.rank());
  std::iota(plain.begin(), plain.end(), 0);
  const int64_t size = shape.numel() + gap * std::max(shape[0], shape[order[0]]);
  std::vector<T> x(size), y(size, T(7)), expected = y;
  for (int64_t i = 0; i < size; ++i) x[i] = static_cast<T>(static_cast<float>(i % 120) - 60);
  const View from{x.data(), dtype_of<T>, {}, shape, strides_in(plain)};
  const View to{y.data(), dtype_of<T>, {}, shape, strides_in(order)};
  for (int64_t i = 0; i < shape.numel(); ++i) {
    int64_t rest = i, at_x = 0, at_y = 0;
    for (int dim = shape.rank() - 1; dim >= 0; --dim) {
      at_x += rest % shape[dim] * from.strides[dim];
      at_y += rest % shape[dim] * to.strides[dim];
      rest /= shape[dim];
    }
    expected[at_y] = x[at_x];
  }
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  context->kernels().copy(*context, from, to);
  for (int64_t i = 0; i < size; ++i) {
    ASSERT_EQ(static_cast<double>(static_cast<float>(y[i])),
              static_cast<double>(static_cast<float>(expected[i])))
        << to_string(dtype_of<T>) << " " << to_string(shape) << ", y's dimension " << order.back()
        << " innermost; " << i;
  }
}

template <class T>
void expect_all_copied() {
  for (int threads : {1, 4}) {
    set_num_threads(threads);
    for (int64_t rows : {1, 7, 8, 9, 16, 35}) {
      for (int64_t columns : {7, 8, 15, 16, 17, 33, 64, 100}) {
        expect_copied<T>({rows, columns}, {1, 0});
        expect_copied<T>({3, rows, columns}, {0, 2, 1});
        expect_copied<T>({3, rows, columns}, {2, 1, 0});
        expect_copied<T>({2, rows, 3, columns}, {0, 2, 3, 1});  // channels-last
        expect_copied<T>({2, rows, 3, columns}, {3, 2, 1, 0});
        expect_copied<T>({9, rows, 2, columns}, {1, 3, 2, 0});
      }
    }
    expect_copied<T>({2, 130, 56, 56}, {0, 2, 3, 1});
  }
}

class Copy : public testing::Test {
 protected:
  ~Copy() override { set_num_threads(before_); }

 private:
  int before_ = num_threads();
};

TEST_F(Copy, OfTransposedWords) {
  expect_all_copied<float>();
}

TEST_F(Copy, OfTransposedHalves) {
  expect_all_copied<bfloat16>();
}

TEST_F(Copy, OfTransposedElementsOfOtherSizes) {
  expect_all_copied<double>();
  expect_all_copied<uint8_t>();
}

}  // namespace
}  // namespace gestalt
