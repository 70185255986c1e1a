// Top-K on the CPU: every instruction set against a stable sort, with exact indices.

#include "tests/ref/topk.h"

#include <cstring>
#include <gtest/gtest.h>
#include <random>

#include "kernels/cpu/features.h"
#include "kernels/cpu/topk_rows.h"
#include "kernels/parallel.h"
#include "kernels/runtime.h"
#include "kernels/table.h"
#include "tests/kernels/topk_values.h"

namespace gestalt::cpu {
namespace {

template <class T>
struct Path {
  const char* name;
  const TopKRows<T>* rows;
};

template <class T>
std::vector<Path<T>> paths() {
  std::vector<Path<T>> list{{"plain", &topk_rows_plain<T>()}};
#if defined(__AVX2__)
  if constexpr (sizeof(T) <= 4) {
    list.push_back({"avx2", &topk_rows_avx2<T>()});
    if (has_avx512()) list.push_back({"avx512", &topk_rows_avx512<T>()});
  }
#endif
  return list;
}

// One row through every path, in keep and reverse, plain and streamed, into guarded buffers.
template <class T>
void check_row(const std::vector<T>& row, int64_t k, const std::string& what) {
  const int64_t length = static_cast<int64_t>(row.size());
  const int64_t bytes = (length + 31) / 32 * 4;
  const std::vector<bool> kept = ref::topk_mask(values_of(row), k);
  for (const Path<T>& path : paths<T>()) {
    SCOPED_TRACE(format("{} {} L={} k={}", what, path.name, length, k));
    std::vector<Bits<T>> scratch(topk_scratch(length));
    const TopKSelection selection = path.rows->select(row.data(), length, k, scratch.data());
    for (const bool reverse : {false, true}) {
      const T guard = make<T>(77);
      std::vector<T> y(length + 64, guard);
      std::vector<uint8_t> mask(bytes + 4, 0xa5);
      path.rows->write(row.data(), length, selection, reverse, reverse, y.data(), mask.data());
      int64_t wrong = -1;
      for (int64_t i = 0; i < length && wrong < 0; ++i) {
        const bool passed = kept[i] != reverse;
        const T expected = passed ? row[i] : from_bits<T>(0);
        const bool bit = (mask[i / 8] >> (i % 8)) & 1;
        if (!same_bits(y[i], expected) || bit != passed) wrong = i;
      }
      ASSERT_EQ(wrong, -1) << "x=" << static_cast<double>(row[wrong])
                           << " y=" << static_cast<double>(y[wrong]) << " kept=" << kept[wrong]
                           << " reverse=" << reverse;
      for (int64_t i = length; i < bytes * 8; ++i) {
        ASSERT_FALSE((mask[i / 8] >> (i % 8)) & 1) << "padding bit " << i;
      }
      for (int64_t i = length; i < length + 64; ++i) ASSERT_TRUE(same_bits(y[i], guard));
      for (int64_t i = bytes; i < bytes + 4; ++i) ASSERT_EQ(mask[i], 0xa5);

      std::vector<uint8_t> mask_only(bytes, 0xa5);
      path.rows->write(row.data(), length, selection, reverse, false, nullptr, mask_only.data());
      ASSERT_EQ(std::memcmp(mask_only.data(), mask.data(), bytes), 0);
      std::vector<T> in_place = row;
      path.rows->write(in_place.data(), length, selection, reverse, false, in_place.data(),
                       nullptr);
      std::vector<T> applied(length + 64, guard);
      path.rows->apply(row.data(), mask.data(), length, reverse, applied.data());
      for (int64_t i = 0; i < length; ++i) {
        ASSERT_TRUE(same_bits(in_place[i], y[i])) << i;
        ASSERT_TRUE(same_bits(applied[i], y[i])) << i;
      }
      for (int64_t i = length; i < length + 64; ++i) ASSERT_TRUE(same_bits(applied[i], guard));
    }
  }
}

template <class T>
void check_row(const std::vector<T>& row, const std::string& what) {
  const int64_t length = static_cast<int64_t>(row.size());
  for (int64_t k : {int64_t{1}, length / 20, length / 10, length / 2, length - 1, length}) {
    if (k >= 1) check_row(row, k, what);
    if (testing::Test::HasFatalFailure()) return;
  }
}

template <class T>
class TopKRowsTest : public testing::Test {};
using Types = testing::Types<float, bfloat16, float16, double>;
TYPED_TEST_SUITE(TopKRowsTest, Types);

TYPED_TEST(TopKRowsTest, LengthsAndSmallestAndLargestK) {
  using T = TypeParam;
  for (int64_t length :
       {1,   2,    3,    7,    31,   32,   33,   49,    63,    64,    65,    127,   196,
        784, 1023, 1024, 1025, 8191, 8192, 8193, 12544, 16384, 16385, 50176, 65536, 131075}) {
    check_row(gaussian<T>(length, length), "gaussian");
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(TopKRowsTest, AfterRelu) {
  using T = TypeParam;
  for (int64_t length : {49, 784, 12544}) {
    std::vector<T> row = gaussian<T>(length, 7);
    for (size_t i = 0; i < row.size(); ++i) {
      if (!(static_cast<double>(row[i]) > 0)) row[i] = make<T>(i % 3 == 0 ? -0.0 : 0.0);
    }
    check_row(row, "relu");
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(TopKRowsTest, EqualAndSparseRows) {
  using T = TypeParam;
  for (int64_t length : {33, 784, 8200, 12544}) {
    check_row(std::vector<T>(length, make<T>(-1.5)), "all equal");
    check_row(std::vector<T>(length, make<T>(0)), "all zero");
    std::vector<T> row(length, make<T>(0));
    for (int64_t i = 0; i < length; i += 2) row[i] = make<T>(-0.0);
    check_row(row, "signed zeros");
    row[length - 2] = make<T>(-3);
    check_row(row, "one non-zero");
    const int64_t k = 20;
    for (int64_t nonzero : {k - 1, k, k + 1}) {
      std::vector<T> sparse(length, make<T>(0));
      for (int64_t i = 0; i < nonzero; ++i) sparse[(i * 7) % length] = make<T>(i % 2 ? -1 : 2);
      check_row(sparse, k, "k-1, k, k+1 non-zero");
    }
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(TopKRowsTest, ManyTiesAtTheThreshold) {
  using T = TypeParam;
  std::mt19937_64 engine(3);
  for (int64_t length : {31, 33, 100, 784, 1025, 8200, 16385}) {
    std::vector<T> row(length);
    for (T& x : row) x = make<T>(static_cast<double>(engine() % 5) - 2);
    for (int64_t k = 1; k <= length; k += 1 + length / 37) {
      check_row(row, k, "five values");
      if (this->HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(TopKRowsTest, KeysThatDifferInTheLastBit) {
  using T = TypeParam;
  for (int64_t length : {100, 784, 8200, 20000}) {
    std::vector<T> row(length);
    for (int64_t i = 0; i < length; ++i) {
      const uint64_t bits = bits_of(make<T>(1)) + (i * 7919 % length) % 500;
      row[i] = from_bits<T>(bits | (i % 2 ? sign_bit<T> : 0));
    }
    check_row(row, "last bits");
    // Spread over the whole range of finite keys.
    for (int64_t i = 0; i < length; ++i) {
      row[i] = from_bits<T>(infinity_bits<T> / length * (i * 7919 % length));
    }
    check_row(row, "all octaves");
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(TopKRowsTest, DenormalsInfinitiesAndNan) {
  using T = TypeParam;
  for (int64_t length : {49, 784, 8200, 12544}) {
    std::vector<T> row(length);
    for (int64_t i = 0; i < length; ++i) row[i] = from_bits<T>(i * 31 % 120);
    check_row(row, "denormals");
    row = gaussian<T>(length, 11);
    for (int64_t i = 0; i < length; i += 5) row[i] = make<T>(i % 2 ? inf : -inf);
    check_row(row, "infinities");
    const int64_t k = 12;
    for (int64_t count : {k - 5, k, k + 5}) {
      std::vector<T> with_nan = row;
      // Payloads and signs must not matter.
      for (int64_t i = 0; i < count; ++i) {
        with_nan[(i * 3 + 1) % length] =
            i % 3 == 0 ? make<T>(nan)
                       : from_bits<T>((infinity_bits<T> + 1 + i) | (i % 3 == 1 ? sign_bit<T> : 0));
      }
      check_row(with_nan, k, "NaN");
    }
    check_row(std::vector<T>(length, from_bits<T>(~uint64_t{0})), "all NaN");
    if (this->HasFatalFailure()) return;
  }
}

TYPED_TEST(TopKRowsTest, UnalignedRows) {
  using T = TypeParam;
  const std::vector<T> data = gaussian<T>(900, 5);
  for (int64_t offset = 1; offset < 9; ++offset) {
    std::vector<T> row(data.begin() + offset, data.begin() + offset + 784);
    const std::vector<bool> kept = ref::topk_mask(values_of(row), 80);
    for (const Path<T>& path : paths<T>()) {
      std::vector<Bits<T>> scratch(topk_scratch(784));
      std::vector<T> y(900);
      const TopKSelection selection =
          path.rows->select(data.data() + offset, 784, 80, scratch.data());
      path.rows->write(data.data() + offset, 784, selection, false, true, y.data() + offset + 3,
                       nullptr);
      for (int64_t i = 0; i < 784; ++i) {
        ASSERT_TRUE(same_bits(y[offset + 3 + i], kept[i] ? row[i] : from_bits<T>(0)))
            << path.name << ' ' << i;
      }
    }
  }
}

TYPED_TEST(TopKRowsTest, RandomRows) {
  using T = TypeParam;
  std::mt19937_64 engine(17);
  for (int round = 0; round < 400; ++round) {
    const int64_t length = 1 + static_cast<int64_t>(engine() % (round % 10 == 0 ? 20000 : 1500));
    const int64_t k = 1 + static_cast<int64_t>(engine() % length);
    std::vector<T> row(length);
    const uint64_t kind = engine() % 3;
    for (T& x : row) {
      const uint64_t bits = engine();
      // Any bits; a narrow band of keys; values squared towards zero.
      if (kind == 0) x = from_bits<T>(bits);
      if (kind == 1) x = from_bits<T>((infinity_bits<T> / 2) + bits % 97);
      if (kind == 2) x = make<T>(std::pow(static_cast<double>(bits >> 40) / (1 << 24), 4));
    }
    check_row(row, k, "random");
    if (this->HasFatalFailure()) return;
  }
}

// ---- the kernels: layouts, threads, tau, backward ----

template <class T>
class TopKKernelTest : public testing::Test {
 public:
  std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  const KernelTable& kernels = cpu_runtime.kernels;
};
TYPED_TEST_SUITE(TopKKernelTest, Types);

TYPED_TEST(TopKKernelTest, LayoutsThreadsAndRepeatsAgreeToTheBit) {
  using T = TypeParam;
  const int threads = num_threads();
  for (const Shape& shape : {Shape{2, 3, 7, 9}, Shape{1, 70, 28, 28}, Shape{3, 17, 5, 5},
                             Shape{1, 2, 96, 96}, Shape{2, 5, 1, 1}, Shape{2, 1, 6, 6}}) {
    const int64_t rows = shape[0] * shape[1], length = shape[2] * shape[3];
    const int64_t bytes = (length + 31) / 32 * 4;
    std::vector<T> x = gaussian<T>(shape.numel(), 2);
    std::vector<T> x_last = to_channels_last(x, shape);
    for (const TopKMode mode : {TopKMode::keep, TopKMode::reverse}) {
      for (const float tau : {1.0f, 0.3f}) {
        const TopKDesc desc{.k = std::max<int64_t>(1, length / 5), .mode = mode, .tau = tau};
        std::vector<T> y(x.size()), y_last(x.size()), y_one(x.size()), dx(x.size()),
            dx_last(x.size()), y_unmasked(x.size());
        std::vector<uint8_t> mask(rows * bytes, 0xa5), mask_last(rows * bytes, 0xa5);
        const View mask_v = mask_view(mask, rows), mask_last_v = mask_view(mask_last, rows);
        const auto flat = Format::contiguous, last = Format::channels_last;
        this->kernels.topk_forward(*this->context, view_of(x, shape, flat), view_of(y, shape, flat),
                                   &mask_v, desc);
        this->kernels.topk_forward(*this->context, view_of(x_last, shape, last),
                                   view_of(y_last, shape, last), &mask_last_v, desc);
        set_num_threads(1);
        this->kernels.topk_forward(*this->context, view_of(x, shape, flat),
                                   view_of(y_one, shape, flat), &mask_v, desc);
        set_num_threads(threads);
        this->kernels.topk_forward(*this->context, view_of(x_last, shape, last),
                                   view_of(y_unmasked, shape, last), nullptr, desc);
        ASSERT_EQ(mask, mask_last);
        const std::vector<T> expected_last = to_channels_last(y, shape);
        for (size_t i = 0; i < y.size(); ++i) {
          ASSERT_TRUE(same_bits(y[i], y_one[i]));
          ASSERT_TRUE(same_bits(y_last[i], expected_last[i]));
          ASSERT_TRUE(same_bits(y_unmasked[i], expected_last[i]));
        }
        // The gradient passes where the mask is set: with dy = x it is the forward pass again.
        this->kernels.topk_backward(*this->context, view_of(x, shape, flat), mask_v,
                                    view_of(dx, shape, flat), desc);
        this->kernels.topk_backward(*this->context, view_of(x_last, shape, last), mask_v,
                                    view_of(dx_last, shape, last), desc);
        for (size_t i = 0; i < y.size(); ++i) {
          ASSERT_TRUE(same_bits(dx[i], y[i]));
          ASSERT_TRUE(same_bits(dx_last[i], y_last[i]));
        }
        int64_t kept = 0;
        for (uint8_t byte : mask) kept += __builtin_popcount(byte);
        EXPECT_EQ(kept, rows * (mode == TopKMode::keep ? desc.k : length - desc.k));
      }
    }
  }
}

TYPED_TEST(TopKKernelTest, KeepPlusReverseIsTheInput) {
  using T = TypeParam;
  const Shape shape{2, 4, 30, 31};
  std::vector<T> x = gaussian<T>(shape.numel(), 4), keep(x.size()), reverse(x.size());
  const auto flat = Format::contiguous;
  this->kernels.topk_forward(*this->context, view_of(x, shape, flat), view_of(keep, shape, flat),
                             nullptr, {.k = 93});
  this->kernels.topk_forward(*this->context, view_of(x, shape, flat), view_of(reverse, shape, flat),
                             nullptr, {.k = 93, .mode = TopKMode::reverse});
  for (size_t i = 0; i < x.size(); ++i) {
    const auto bits = bits_of(keep[i]) | bits_of(reverse[i]);
    ASSERT_EQ(bits, bits_of(x[i]));
  }
}

TYPED_TEST(TopKKernelTest, EmptyBatchAndManyRows) {
  using T = TypeParam;
  std::vector<T> none;
  this->kernels.topk_forward(*this->context, view_of(none, {0, 3, 4, 4}, Format::contiguous),
                             view_of(none, {0, 3, 4, 4}, Format::contiguous), nullptr, {.k = 2});
  const Shape shape{1, 70000, 2, 2};
  std::vector<T> x = gaussian<T>(shape.numel(), 4), y(x.size());
  this->kernels.topk_forward(*this->context, view_of(x, shape, Format::contiguous),
                             view_of(y, shape, Format::contiguous), nullptr, {.k = 1});
  for (int64_t row = 0; row < 70000; ++row) {
    int64_t nonzero = 0;
    for (int64_t i = 0; i < 4; ++i) nonzero += static_cast<double>(y[row * 4 + i]) != 0;
    ASSERT_EQ(nonzero, 1) << row;
  }
}

TYPED_TEST(TopKKernelTest, DroppedInfinitiesBecomePlusZero) {
  using T = TypeParam;
  std::vector<T> x{make<T>(-inf), make<T>(nan), make<T>(-1), make<T>(inf)}, y(4);
  this->kernels.topk_forward(*this->context, view_of(x, {1, 1, 2, 2}, Format::contiguous),
                             view_of(y, {1, 1, 2, 2}, Format::contiguous), nullptr,
                             {.k = 2, .mode = TopKMode::reverse});
  EXPECT_TRUE(same_bits(y[0], from_bits<T>(0)));
  EXPECT_TRUE(same_bits(y[1], from_bits<T>(0)));
  EXPECT_TRUE(same_bits(y[2], x[2]));
  EXPECT_TRUE(same_bits(y[3], x[3]));
}

TYPED_TEST(TopKKernelTest, MeanReplace) {
  using T = TypeParam;
  for (const Format format : {Format::contiguous, Format::channels_last}) {
    const Shape shape{2, 3, 5, 7};
    const int64_t length = 35, k = 6, bytes = 8;
    std::vector<T> x = gaussian<T>(shape.numel(), 9);
    for (size_t i = 0; i < x.size(); i += 4) x[i] = make<T>(i % 8 ? 1.0 : -3.0);  // ties
    std::vector<T> given = format == Format::contiguous ? x : to_channels_last(x, shape);
    std::vector<T> y(x.size()), dx(x.size());
    std::vector<uint8_t> mask(6 * bytes, 0xa5);
    const View mask_v = mask_view(mask, 6);
    this->kernels.topk_mean_replace_forward(*this->context, view_of(given, shape, format),
                                            view_of(y, shape, format), mask_v, {.k = k});
    this->kernels.topk_mean_replace_backward(*this->context, view_of(given, shape, format), mask_v,
                                             view_of(dx, shape, format), {.k = k});
    std::vector<T> expected(x.size());
    for (int64_t r = 0; r < 6; ++r) {
      const std::vector<double> row =
          values_of(std::vector<T>(x.begin() + r * length, x.begin() + (r + 1) * length));
      const std::vector<bool> kept = ref::topk_signed_mask(row, k);
      double sum = 0;
      for (int64_t i = 0; i < length; ++i) sum += kept[i] ? row[i] : 0;
      for (int64_t i = 0; i < length; ++i) {
        expected[r * length + i] = kept[i] ? make<T>(sum / k) : make<T>(0);
        ASSERT_EQ((mask[r * bytes + i / 8] >> (i % 8)) & 1, kept[i]);
      }
    }
    if (format == Format::channels_last) expected = to_channels_last(expected, shape);
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_TRUE(same_bits(y[i], expected[i])) << i;
      ASSERT_TRUE(same_bits(dx[i], expected[i])) << i;
    }
  }
}

}  // namespace
}  // namespace gestalt::cpu
