// relu_topk_forward on the CPU: every kind of row against a stable sort with exact indices, in both
// layouts, in place and not, with a bias and without, on one thread and on two.

#include <gtest/gtest.h>

#include "kernels/dispatch.h"
#include "kernels/parallel.h"
#include "kernels/runtime.h"
#include "kernels/table.h"
#include "tests/kernels/topk_values.h"
#include "tests/ref/topk.h"

namespace gestalt::cpu {
namespace {

// What separate ops give: each step rounded to T.
template <class T>
T step_by_step(T x, T bias, bool with_bias) {
  using Sum = accumulate_t<T>;
  const T sum = with_bias ? T(static_cast<Sum>(x) + static_cast<Sum>(bias)) : x;
  return static_cast<Sum>(sum) < 0 ? make<T>(0) : sum;
}

template <class T>
class ReluTopKTest : public testing::Test {
 public:
  // Rows of one length, each with the stable sort's selection.
  struct Expected {
    std::vector<T> keep, reverse;
  };

  static Expected expected_of(const std::vector<T>& x, const std::vector<T>& bias,
                              const Shape& shape, int64_t k) {
    const int64_t length = shape[2] * shape[3];
    Expected expected{std::vector<T>(x.size()), std::vector<T>(x.size())};
    for (int64_t r = 0; r < shape[0] * shape[1]; ++r) {
      std::vector<T> row(static_cast<size_t>(length));
      for (int64_t i = 0; i < length; ++i) {
        const T of_channel = bias.empty() ? T{} : bias[r % shape[1]];
        row[i] = step_by_step(x[r * length + i], of_channel, !bias.empty());
      }
      const std::vector<bool> kept = ref::topk_mask(values_of(row), k);
      for (int64_t i = 0; i < length; ++i) {
        expected.keep[r * length + i] = kept[i] ? row[i] : from_bits<T>(0);
        expected.reverse[r * length + i] = kept[i] ? from_bits<T>(0) : row[i];
      }
    }
    return expected;
  }

  void run(std::vector<T> x, std::vector<T> bias, const std::vector<T>& expected,
           const Shape& shape, Format format, const TopKDesc& desc) {
    const Shape channels{shape[1]};
    const View bias_view = view_of(bias, channels, Format::contiguous);
    const View* bias_pointer = bias.empty() ? nullptr : &bias_view;
    // An element off alignment, with a guard at each end.
    std::vector<T> y(x.size() + 2, make<T>(77));
    View y_view = view_of(y, shape, format);
    y_view.data = y.data() + 1;
    kernels.relu_topk_forward(*context, view_of(x, shape, format), bias_pointer, y_view, desc);
    ASSERT_TRUE(same_bits(y.front(), make<T>(77)) && same_bits(y.back(), make<T>(77)));
    kernels.relu_topk_forward(*context, view_of(x, shape, format), bias_pointer,
                              view_of(x, shape, format), desc);
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_TRUE(same_bits(y[i + 1], expected[i]))
          << i << ": " << static_cast<double>(y[i + 1]) << ", expected "
          << static_cast<double>(expected[i]);
      ASSERT_TRUE(same_bits(x[i], expected[i])) << "in place, " << i;
    }
  }

  void check(const std::vector<T>& x, const std::vector<T>& bias, const Shape& shape, int64_t k,
             const std::string& what) {
    SCOPED_TRACE(format("{} {} k={} bias={}", what, shape, k, !bias.empty()));
    const Expected expected = expected_of(x, bias, shape, k);
    const auto flat = Format::contiguous, last = Format::channels_last;
    for (const TopKMode mode : {TopKMode::keep, TopKMode::reverse}) {
      const TopKDesc desc{.k = k, .mode = mode};
      const std::vector<T>& rows = mode == TopKMode::keep ? expected.keep : expected.reverse;
      run(x, bias, rows, shape, flat, desc);
      if (this->HasFatalFailure()) return;
      run(to_channels_last(x, shape), bias, to_channels_last(rows, shape), shape, last, desc);
      if (this->HasFatalFailure()) return;
    }
  }

  // Two images of three channels, the row turned by one element in each.
  void check_row(const std::vector<T>& row, int64_t k, const std::string& what) {
    const int64_t length = static_cast<int64_t>(row.size());
    const Shape shape{2, 3, 1, length};
    std::vector<T> x;
    for (int64_t r = 0; r < 6; ++r) {
      for (int64_t i = 0; i < length; ++i) x.push_back(row[(i + r) % length]);
    }
    check(x, {}, shape, k, what);
    if (this->HasFatalFailure()) return;
    check(x, {make<T>(0.5), make<T>(-0.25), make<T>(0)}, shape, k, what);
  }

  void check_row(const std::vector<T>& row, const std::string& what) {
    const int64_t length = static_cast<int64_t>(row.size());
    for (int64_t k : {int64_t{1}, length / 10, length - 1, length}) {
      if (k >= 1) check_row(row, k, what);
      if (this->HasFatalFailure()) return;
    }
  }

  std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  const KernelTable& kernels = cpu_runtime.kernels;
};

using Types = testing::Types<float, bfloat16, float16, double>;
TYPED_TEST_SUITE(ReluTopKTest, Types);

TYPED_TEST(ReluTopKTest, Lengths) {
  for (int64_t length : {1, 2, 31, 32, 33, 49, 196, 1023, 1024, 1025}) {
    this->check_row(gaussian<TypeParam>(length, length), "gaussian");
    if (this->HasFatalFailure()) return;
  }
  for (int64_t length : {16384, 16385, 50176, 131075}) {
    this->check_row(gaussian<TypeParam>(length, length), length / 10, "gaussian");
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(ReluTopKTest, EqualAndSparseRows) {
  using T = TypeParam;
  for (int64_t length : {33, 784, 8200}) {
    this->check_row(std::vector<T>(length, make<T>(1.5)), "all equal");
    this->check_row(std::vector<T>(length, make<T>(-1.5)), "none positive");
    std::vector<T> row(length, make<T>(0));
    for (int64_t i = 0; i < length; i += 2) row[i] = make<T>(-0.0);
    this->check_row(row, "signed zeros");
    row[length - 2] = make<T>(3);
    this->check_row(row, "one positive");
    const int64_t k = 20;
    for (int64_t positive : {k - 1, k, k + 1}) {
      std::vector<T> sparse(length, make<T>(-0.5));
      for (int64_t i = 0; i < positive; ++i) sparse[(i * 7) % length] = make<T>(i % 2 ? 1 : 2);
      this->check_row(sparse, k, "k-1, k, k+1 positive");
    }
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(ReluTopKTest, TiesAndLastBits) {
  using T = TypeParam;
  std::mt19937_64 engine(3);
  for (int64_t length : {31, 100, 784, 8200}) {
    std::vector<T> row(length);
    for (T& x : row) x = make<T>(static_cast<double>(engine() % 5) - 2);
    this->check_row(row, "five values");
    for (int64_t i = 0; i < length; ++i) {
      const uint64_t bits = bits_of(make<T>(1)) + (i * 7919 % length) % 500;
      row[i] = from_bits<T>(bits | (i % 2 ? sign_bit<T> : 0));
    }
    this->check_row(row, "last bits");
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(ReluTopKTest, DenormalsInfinitiesAndNan) {
  using T = TypeParam;
  for (int64_t length : {49, 784, 8200}) {
    std::vector<T> row(length);
    for (int64_t i = 0; i < length; ++i) row[i] = from_bits<T>(i * 31 % 120);
    this->check_row(row, "denormals");
    row = gaussian<T>(length, 11);
    for (int64_t i = 0; i < length; i += 5) row[i] = make<T>(i % 2 ? inf : -inf);
    this->check_row(row, "infinities");
    const int64_t k = 12;
    for (int64_t count : {k - 5, k, k + 5}) {
      std::vector<T> with_nan = row;
      for (int64_t i = 0; i < count; ++i) {
        with_nan[(i * 3 + 1) % length] = make<T>(i % 2 ? nan : -nan);
      }
      this->check_row(with_nan, k, "NaN");
    }
    if (this->HasFatalFailure()) return;
  }
}

// An output that is written past the caches, and tiles of channels that are not full.
TYPED_TEST(ReluTopKTest, LargeImages) {
  using T = TypeParam;
  for (const Shape& shape : {Shape{2, 37, 30, 31}, Shape{1, 70000, 2, 2}, Shape{3, 300, 56, 56}}) {
    std::vector<T> bias = gaussian<T>(shape[1], 8);
    const int64_t k = std::max<int64_t>(1, shape[2] * shape[3] / 10);
    this->check(gaussian<T>(shape.numel(), 4), bias, shape, k, "large");
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(ReluTopKTest, ThreadsDoNotShow) {
  using T = TypeParam;
  const Shape shape{2, 37, 30, 31};
  std::vector<T> x = gaussian<T>(shape.numel(), 4), bias = gaussian<T>(37, 5);
  const View bias_view = view_of(bias, {37}, Format::contiguous);
  const int before = num_threads();
  for (const Format format : {Format::contiguous, Format::channels_last}) {
    std::vector<T> y[3];
    for (int threads : {1, 2, 3}) {
      set_num_threads(threads);
      y[threads - 1].resize(x.size());
      this->kernels.relu_topk_forward(*this->context, view_of(x, shape, format), &bias_view,
                                      view_of(y[threads - 1], shape, format), {.k = 93});
    }
    set_num_threads(before);
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_TRUE(same_bits(y[0][i], y[1][i]) && same_bits(y[0][i], y[2][i])) << i;
    }
  }
}

TYPED_TEST(ReluTopKTest, EmptyBatch) {
  using T = TypeParam;
  std::vector<T> x = gaussian<T>(64, 4), bias = gaussian<T>(3, 5), y = gaussian<T>(64, 6);
  const std::vector<T> before = y;
  const View bias_view = view_of(bias, {3}, Format::contiguous);
  for (const Format format : {Format::contiguous, Format::channels_last}) {
    const View in = view_of(x, {0, 3, 4, 4}, format);
    View out = view_of(y, {0, 3, 4, 4}, format);
    out.data = y.data() + 8;  // elements before it and after it
    for (const View* added : {static_cast<const View*>(nullptr), &bias_view}) {
      this->kernels.relu_topk_forward(*this->context, in, added, out, {.k = 2});
    }
  }
  for (size_t i = 0; i < y.size(); ++i) EXPECT_TRUE(same_bits(y[i], before[i])) << i;
}

}  // namespace
}  // namespace gestalt::cpu
