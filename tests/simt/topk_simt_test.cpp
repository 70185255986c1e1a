// Top-K's CUDA kernels under the SIMT executor against a stable sort: the same elements, by index
// and by bits, for every path (registers, shared memory, re-reading, channels last), type and
// schedule.

#include <algorithm>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <numeric>
#include <random>

#include "kernels/cuda/kernels.h"
#include "kernels/runtime.h"
#include "tests/simt/executor.h"
#include "tests/simt/guarded_buffer.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

template <class T>
using Bits = std::conditional_t<sizeof(T) == 2, uint16_t, uint32_t>;

template <class T>
Bits<T> bits_of(T value) {
  return std::bit_cast<Bits<T>>(value);
}

// ---- the oracle: written from the definition, sharing nothing with the kernels ----

// Finite values, then infinity, then all NaN alike.
template <class T>
double signed_value(T value) {
  const double v = static_cast<float>(value);
  return std::isnan(v) ? std::numeric_limits<double>::infinity() : std::clamp(v, -1e300, 1e300);
}

template <class T>
double magnitude(T value) {
  return std::abs(signed_value(value));
}

std::vector<bool> kept_of(const std::vector<double>& keys, int64_t k) {
  std::vector<int> order(keys.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return keys[a] > keys[b]; });
  std::vector<bool> kept(keys.size());
  for (int64_t i = 0; i < k; ++i) kept[order[i]] = true;
  return kept;
}

// ---- one problem, in logical [rows = n * c, length] order ----

template <class T>
struct Problem {
  int64_t n, c, h, w;
  std::vector<T> x;
  int64_t length() const { return h * w; }
  int64_t rows() const { return n * c; }
  const T* row(int64_t r) const { return x.data() + r * length(); }
};

// Where logical element (row, i) lies.
template <class T>
int64_t offset_of(const Problem<T>& p, Format format, int64_t row, int64_t i) {
  if (format == Format::contiguous) return row * p.length() + i;
  return (row / p.c * p.length() + i) * p.c + row % p.c;
}

template <class T>
View view_of(const Problem<T>& p, Format format, T* data) {
  const Shape shape{p.n, p.c, p.h, p.w};
  return {data, dtype_of<T>, Device{}, shape, strides_of(shape, format)};
}

template <class T>
std::vector<T> in_format(const Problem<T>& p, Format format) {
  std::vector<T> laid(p.x.size());
  for (int64_t r = 0; r < p.rows(); ++r) {
    for (int64_t i = 0; i < p.length(); ++i) laid[offset_of(p, format, r, i)] = p.row(r)[i];
  }
  return laid;
}

class TopK : public testing::Test {
 protected:
  std::unique_ptr<Context> context_ = cpu_runtime.make_context(0);

  template <class T>
  static int64_t mask_bytes(const Problem<T>& p) {
    return p.rows() * ((p.length() + 31) / 32) * 4;
  }

  static View mask_view(uint8_t* data, int64_t bytes, int64_t rows) {
    const Shape shape{rows, rows == 0 ? 0 : bytes / rows};
    return {data, DType::u8, Device{}, shape, strides_of(shape, Format::contiguous)};
  }

  template <class T>
  static bool mask_bit(const uint8_t* mask, const Problem<T>& p, int64_t r, int64_t i) {
    return mask[r * ((p.length() + 31) / 32) * 4 + i / 8] >> (i % 8) & 1;
  }

  // Bits in the padding count too: they must be 0.
  template <class T>
  static int64_t bits_set(const uint8_t* mask, const Problem<T>& p, int64_t r) {
    int64_t count = 0;
    const int64_t bytes = (p.length() + 31) / 32 * 4;
    for (int64_t b = 0; b < bytes; ++b) count += std::popcount(unsigned{mask[r * bytes + b]});
    return count;
  }

  // Forward and backward, keep or reverse, with and without mask, aligned or not, against the
  // oracle. Stops at the first difference.
  template <class T>
  void check(const Problem<T>& p, int64_t k, Format format, TopKMode mode, uint64_t seed) {
    const std::string where = format_args(
        "{} {} L {} k {} mode {} seed {}",
        {dtype_of<T>, format, p.length(), k, static_cast<int>(mode), static_cast<int64_t>(seed)});
    simt::set_seed(seed);
    std::vector<T> x(p.x.size() + 1);  // one element off, where the base is to be unaligned
    const size_t shift = seed % 2;
    const std::vector<T> laid = in_format(p, format);
    std::copy(laid.begin(), laid.end(), x.begin() + shift);
    simt::GuardedBuffer<T> y(p.x.size() + shift), dx(p.x.size());
    simt::GuardedBuffer<uint32_t> mask(mask_bytes(p) / 4);
    auto* mask_bits = reinterpret_cast<uint8_t*>(mask.data());
    const View mask_as_view = mask_view(mask_bits, mask_bytes(p), p.rows());
    const bool with_mask = seed % 3 != 2;
    const TopKDesc desc{.k = k, .mode = mode};
    topk_forward(*context_, view_of(p, format, x.data() + shift),
                 view_of(p, format, y.data() + shift), with_mask ? &mask_as_view : nullptr, desc);
    ASSERT_TRUE(y.intact() && mask.intact()) << where;
    for (int64_t r = 0; r < p.rows(); ++r) {
      std::vector<double> keys(p.length());
      for (int64_t i = 0; i < p.length(); ++i) keys[i] = magnitude(p.row(r)[i]);
      const std::vector<bool> kept = kept_of(keys, k);
      for (int64_t i = 0; i < p.length(); ++i) {
        const bool passed = kept[i] == (mode == TopKMode::keep);
        const Bits<T> got = bits_of(y.data()[shift + offset_of(p, format, r, i)]);
        const Bits<T> expected = passed ? bits_of(p.row(r)[i]) : Bits<T>{0};
        ASSERT_EQ(got, expected) << where << " row " << r << " index " << i;
        if (with_mask) {
          ASSERT_EQ(mask_bit(mask_bits, p, r, i), passed) << where << " index " << i;
        }
      }
      const int64_t passed = mode == TopKMode::keep ? k : p.length() - k;
      if (with_mask) {
        ASSERT_EQ(bits_set(mask_bits, p, r), passed) << where << " row " << r;
      }
    }
    if (!with_mask) return;
    // The gradient passes where the mask is set; x itself serves as the incoming one.
    topk_backward(*context_, view_of(p, format, x.data() + shift), mask_as_view,
                  view_of(p, format, dx.data()), desc);
    ASSERT_TRUE(dx.intact()) << where;
    for (size_t i = 0; i < p.x.size(); ++i) {
      ASSERT_EQ(bits_of(dx.data()[i]), bits_of(y.data()[shift + i])) << where << " gradient " << i;
    }
  }

  template <class T>
  void check_all(const Problem<T>& p, const std::vector<int64_t>& ks, int seeds) {
    for (const int64_t k : ks) {
      if (k < 1 || k > p.length()) continue;
      for (int seed = 1; seed <= seeds && !HasFatalFailure(); ++seed) {
        const TopKMode mode = (seed + k) % 2 == 0 ? TopKMode::keep : TopKMode::reverse;
        check(p, k, Format::contiguous, mode, seed);
        check(p, k, Format::channels_last, mode, seed);
      }
    }
  }
};

template <class T>
class TopKTyped : public TopK {};
using Types = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(TopKTyped, Types);

// Values of one row by kind; every kind is one that some method of selection gets wrong.
enum class Kind {
  gaussian,
  relu,        // often fewer than k non-zero
  few_values,  // thousands of ties
  equal,
  zero,
  mixed_zeros,  // +0 and -0 tie
  one,          // a single non-zero
  last_bit,     // keys that differ in the last bit alone
  smooth,
  special,  // inf, NaN of both signs and several payloads
  denormal,
  count
};

template <class T>
T from_bits(uint32_t bits) {
  return std::bit_cast<T>(static_cast<Bits<T>>(bits));
}

template <class T>
constexpr uint32_t infinity_bits = std::is_same_v<T, bfloat16>  ? 0x7f80u
                                   : std::is_same_v<T, float16> ? 0x7c00u
                                                                : 0x7f800000u;
template <class T>
constexpr uint32_t sign = sizeof(T) == 2 ? 0x8000u : 0x80000000u;

template <class T>
T value_of(Kind kind, int64_t i, int64_t length, std::mt19937& random) {
  std::normal_distribution<float> normal;
  const uint32_t word = static_cast<uint32_t>(random());
  const uint32_t sign_of = word % 2 == 0 ? sign<T> : 0u;
  switch (kind) {
    case Kind::gaussian:
      return T(normal(random));
    case Kind::relu:
      return T(std::max(normal(random) - 0.5f, 0.0f));
    case Kind::few_values:
      return T(static_cast<float>(static_cast<int>(word % 5) - 2));
    case Kind::equal:
      return T(0.75f);
    case Kind::zero:
      return T(0.0f);
    case Kind::mixed_zeros:
      return word % 8 == 0 ? T(1.5f) : from_bits<T>(sign_of);
    case Kind::one:
      return T(i == length * 2 / 3 ? -3.0f : 0.0f);
    case Kind::last_bit:
      return from_bits<T>((bits_of(T(1.0f)) | (word >> 8 & 1u)) + sign_of);
    case Kind::smooth:
      return T(std::sin(0.01f * static_cast<float>(i)));
    case Kind::special:
      if (word % 7 == 0) return from_bits<T>(infinity_bits<T> | sign_of);
      if (word % 7 == 1) return from_bits<T>((infinity_bits<T> + 1 + (word >> 8) % 60) | sign_of);
      return T(normal(random));
    default:
      return from_bits<T>((word >> 8) % 9 + sign_of);
  }
}

template <class T>
Problem<T> make_problem(int64_t n, int64_t c, int64_t h, int64_t w, Kind kind, int seed = 1) {
  std::mt19937 random(seed);
  Problem<T> p{n, c, h, w, {}};
  for (int64_t i = 0; i < n * c * h * w; ++i) {
    p.x.push_back(value_of<T>(kind, i % (h * w), h * w, random));
  }
  return p;
}

TYPED_TEST(TopKTyped, SmallRowsUnderManySchedules) {
  for (const int64_t length : {1, 31, 32, 33, 49, 196}) {
    const auto p = make_problem<TypeParam>(1, 3, 1, length,
                                           length % 2 == 0 ? Kind::few_values : Kind::gaussian);
    this->check_all(p, {1, length / 2, length - 1, length}, 20);
  }
}

TYPED_TEST(TopKTyped, EveryKindOfValues) {
  for (int kind = 0; kind < static_cast<int>(Kind::count); ++kind) {
    for (const int64_t length : {67, 300, 1500}) {
      const auto p = make_problem<TypeParam>(2, length < 100 ? 33 : 1, 1, length,
                                             static_cast<Kind>(kind), kind + 1);
      this->check_all(p, {1, length / 5, length - 1}, length < 1000 ? 2 : 1);
    }
  }
}

TYPED_TEST(TopKTyped, BordersOfThePaths) {
  for (const int64_t length : {255, 256, 257, 1023, 1024, 1025, 4096, 4097}) {
    const auto p = make_problem<TypeParam>(1, 1, 1, length, Kind::few_values);
    this->check_all(p, {length / 5}, 2);
  }
}

TYPED_TEST(TopKTyped, LongRows) {
  const auto contiguous = [&](int64_t length, Kind kind) {
    this->check(make_problem<TypeParam>(1, 1, 1, length, kind), length / 5, Format::contiguous,
                TopKMode::keep, 4);
  };
  contiguous(16384, Kind::gaussian);
  contiguous(16385, Kind::few_values);
  contiguous(50176, Kind::relu);
  contiguous(65536, Kind::smooth);
  contiguous(131075, Kind::few_values);  // past shared memory for every type
  this->check(make_problem<TypeParam>(1, 2, 1, 16385, Kind::few_values), 3000,
              Format::channels_last, TopKMode::keep, 5);
}

// As many non-zero elements, and as many NaN, as are asked for, one fewer, one more.
TYPED_TEST(TopKTyped, CountsAroundK) {
  for (const int64_t length : {64, 333, 2000}) {
    const int64_t k = length / 4;
    for (const int64_t count : {k - 1, k, k + 1}) {
      for (const float value : {2.0f, std::numeric_limits<float>::quiet_NaN()}) {
        Problem<TypeParam> p{1, 2, 1, length, {}};
        std::mt19937 random(static_cast<unsigned>(count));
        for (int row = 0; row < 2; ++row) {
          std::vector<TypeParam> x(length, TypeParam(std::isnan(value) ? 1.0f : 0.0f));
          std::fill_n(x.begin(), count, TypeParam(value));
          std::shuffle(x.begin(), x.end(), random);
          p.x.insert(p.x.end(), x.begin(), x.end());
        }
        this->check_all(p, {k}, 2);
      }
    }
  }
}

TYPED_TEST(TopKTyped, InPlace) {
  for (const int64_t length : {100, 2000, 131075}) {
    for (const Format format : {Format::contiguous, Format::channels_last}) {
      if (length > 100000 && format == Format::channels_last) continue;
      const auto p =
          make_problem<TypeParam>(1, length > 100000 ? 1 : 2, 1, length, Kind::few_values);
      std::vector<TypeParam> x = in_format(p, format), y(x.size());
      simt::set_seed(9);
      const TopKDesc desc{.k = length / 5};
      topk_forward(*this->context_, view_of(p, format, x.data()), view_of(p, format, y.data()),
                   nullptr, desc);
      topk_forward(*this->context_, view_of(p, format, x.data()), view_of(p, format, x.data()),
                   nullptr, desc);
      for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(bits_of(x[i]), bits_of(y[i])) << i;
    }
  }
}

// Devices with and without clusters and bulk copies, with more and less shared memory; with few
// multiprocessors, so that blocks walk over several rows.
TYPED_TEST(TopKTyped, OtherDevices) {
  const simt::EmulatedDevice before = simt::device();
  for (const simt::EmulatedDevice& device :
       {simt::EmulatedDevice{90, 227 * 1024, 1}, simt::EmulatedDevice{90, 24 * 1024, 1},
        simt::EmulatedDevice{80, 163 * 1024, 1}, simt::EmulatedDevice{75, 24 * 1024, 1}}) {
    simt::set_device(device);
    const auto check = [&](int64_t rows, int64_t length, Kind kind, uint64_t seed,
                           Format format = Format::contiguous) {
      const auto p = make_problem<TypeParam>(1, rows, 1, length, kind, static_cast<int>(seed));
      this->check(p, length / 5, format, seed % 2 == 0 ? TopKMode::keep : TopKMode::reverse, seed);
    };
    check(9, 1100, Kind::few_values, 3);
    check(5, 1999, Kind::gaussian, 4);
    check(3, 4097, Kind::special, 6);
    check(2, 9001, Kind::relu, 9);
    check(2, 20000, Kind::last_bit, 12);
    check(2, 33003, Kind::few_values, 13);
    check(35, 300, Kind::few_values, 3, Format::channels_last);
    check(9, 1000, Kind::special, 6, Format::channels_last);
    check(3, 3136, Kind::gaussian, 9, Format::channels_last);
  }
  simt::set_device(before);
}

TYPED_TEST(TopKTyped, TauBlends) {
  using T = TypeParam;
  const float tau = 0.3f;
  const auto p = make_problem<T>(1, 2, 4, 30, Kind::gaussian);
  const TopKDesc desc{.k = 24, .mode = TopKMode::keep, .tau = tau};
  for (const Format format : {Format::contiguous, Format::channels_last}) {
    std::vector<T> x = in_format(p, format);
    simt::GuardedBuffer<T> y(x.size()), dx(x.size());
    simt::GuardedBuffer<uint32_t> mask(this->mask_bytes(p) / 4);
    auto* bits = reinterpret_cast<uint8_t*>(mask.data());
    const View mask_as_view = this->mask_view(bits, this->mask_bytes(p), p.rows());
    topk_forward(*this->context_, view_of(p, format, x.data()), view_of(p, format, y.data()),
                 &mask_as_view, desc);
    topk_backward(*this->context_, view_of(p, format, x.data()), mask_as_view,
                  view_of(p, format, dx.data()), desc);
    for (int64_t r = 0; r < p.rows(); ++r) {
      for (int64_t i = 0; i < p.length(); ++i) {
        const float value = p.row(r)[i];
        const float sparse = this->mask_bit(bits, p, r, i) ? value : 0.0f;
        const float kept = tau * sparse, rest = (1.0f - tau) * value;
        const int64_t at = offset_of(p, format, r, i);
        ASSERT_EQ(bits_of(y[at]), bits_of(T(kept + rest))) << r << ' ' << i;
        ASSERT_EQ(bits_of(dx[at]), bits_of(y[at])) << r << ' ' << i;
      }
    }
  }
}

TYPED_TEST(TopKTyped, MeanReplace) {
  using T = TypeParam;
  for (const Kind kind : {Kind::gaussian, Kind::few_values, Kind::mixed_zeros}) {
    for (const int64_t length : {5, 130, 1100}) {
      for (const Format format : {Format::contiguous, Format::channels_last}) {
        const auto p = make_problem<T>(2, 3, 1, length, kind);
        const int64_t k = (length + 3) / 4;
        std::vector<T> x = in_format(p, format);
        simt::set_seed(static_cast<uint64_t>(length));
        simt::GuardedBuffer<T> y(x.size()), again(x.size()), dx(x.size());
        simt::GuardedBuffer<uint32_t> mask(this->mask_bytes(p) / 4);
        auto* bits = reinterpret_cast<uint8_t*>(mask.data());
        const View mask_as_view = this->mask_view(bits, this->mask_bytes(p), p.rows());
        topk_mean_replace_forward(*this->context_, view_of(p, format, x.data()),
                                  view_of(p, format, y.data()), &mask_as_view, {.k = k});
        topk_mean_replace_forward(*this->context_, view_of(p, format, x.data()),
                                  view_of(p, format, again.data()), nullptr, {.k = k});
        topk_mean_replace_backward(*this->context_, view_of(p, format, x.data()), mask_as_view,
                                   view_of(p, format, dx.data()), {.k = k});
        ASSERT_TRUE(y.intact() && dx.intact() && mask.intact());
        for (int64_t r = 0; r < p.rows(); ++r) {
          std::vector<double> keys(length);
          for (int64_t i = 0; i < length; ++i) keys[i] = signed_value(p.row(r)[i]);
          const std::vector<bool> kept = kept_of(keys, k);
          double sum = 0;
          for (int64_t i = 0; i < length; ++i) sum += kept[i] ? keys[i] : 0;
          const double mean = sum / static_cast<double>(k);
          for (int64_t i = 0; i < length; ++i) {
            const int64_t at = offset_of(p, format, r, i);
            ASSERT_EQ(this->mask_bit(bits, p, r, i), kept[i]) << length << " index " << i;
            if (kept[i]) {
              const double got = static_cast<float>(y[at]);
              const double tolerance = sizeof(T) == 4 ? 1e-7 : 4e-3;
              ASSERT_TRUE(std::abs(got - mean) <= tolerance * std::abs(mean)) << got << ' ' << mean;
            } else {
              ASSERT_EQ(bits_of(y[at]), Bits<T>{0});
            }
            ASSERT_EQ(bits_of(again[at]), bits_of(y[at]));
            ASSERT_EQ(bits_of(dx[at]), bits_of(y[at]));
          }
        }
      }
    }
  }
}

TEST_F(TopK, ManyRowsAndNone) {
  check(make_problem<float>(1, 70000, 1, 1, Kind::gaussian), 1, Format::contiguous, TopKMode::keep,
        1);
  check(make_problem<bfloat16>(5, 700, 1, 2, Kind::gaussian), 1, Format::channels_last,
        TopKMode::keep, 1);
  check(make_problem<float>(0, 3, 2, 2, Kind::gaussian), 1, Format::contiguous, TopKMode::keep, 1);
  check(make_problem<float>(3, 0, 2, 2, Kind::gaussian), 1, Format::channels_last, TopKMode::keep,
        1);
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
