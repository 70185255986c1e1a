// Top-K's CUDA kernels under the SIMT executor: exact indices against a stable sort, for every case
// that an implementation is tested on, f32, bf16 and f16, both layouts, keep and reverse, with and
// without mask, aligned and unaligned, under many schedules.
//
// Each case runs under 20 schedules, under 2 in builds with AddressSanitizer, whose runs take
// longest. GESTALT_SIMT_SCHEDULES asks for another number.

#include <cstdlib>
#include <gtest/gtest.h>

#include "kernels/cpu/table.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/launch.h"
#include "kernels/cuda/topk_fused.h"
#include "kernels/runtime.h"
#include "tests/simt/access_hooks.h"
#include "tests/simt/executor.h"
#include "tests/simt/guarded_buffer.h"
#include "tests/simt/topk_problem.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

using namespace simt;

constexpr Format formats[] = {Format::contiguous, Format::channels_last};

int schedules() {
  static const int asked = [] {
    const char* text = std::getenv("GESTALT_SIMT_SCHEDULES");
    return text == nullptr ? 0 : std::atoi(text);
  }();
  if (asked > 0) return asked;
  return has_access_hooks() ? 20 : 2;
}

template <class T>
View view_of(const Problem<T>& p, Format format, const T* data) {
  return {const_cast<T*>(data), dtype_of<T>, Device{}, p.shape(), strides_of(p.shape(), format)};
}

// A mask between guards.
class Mask {
 public:
  template <class T>
  explicit Mask(const Problem<T>& p)
      : words_(p.mask_words()),
        bits_(static_cast<size_t>(p.rows() * words_)),
        view_{bits_.data(), DType::u8, Device{}, {p.rows(), words_ * 4}, {words_ * 4, 1}} {}

  const View* view() const { return &view_; }
  bool intact() const { return bits_.intact(); }
  bool bit(int64_t row, int64_t i) const {
    return bits_.data()[row * words_ + i / 32] >> (i % 32) & 1u;
  }
  // The padding counts too: it must be 0.
  int64_t count(int64_t row) const {
    int64_t sum = 0;
    for (int64_t w = 0; w < words_; ++w) sum += std::popcount(bits_.data()[row * words_ + w]);
    return sum;
  }

 private:
  int64_t words_;
  GuardedBuffer<uint32_t> bits_;
  View view_;
};

template <class T>
class TopK : public testing::Test {
 protected:
  void TearDown() override { simt::set_device_properties({}); }

  std::unique_ptr<Context> context_ = cpu_runtime.make_context(0);

  // An output between guards, `shift` elements off a multiple of the type's vector width.
  struct Output {
    Output(size_t count, size_t shift) : buffer(count + shift), at(buffer.data() + shift) {}
    GuardedBuffer<T> buffer;
    T* at;
  };

  // All schedules of one problem, k, mode and format. Stops at the first difference.
  void check(const Problem<T>& p, int64_t k, TopKMode mode, Format format, int runs) {
    const std::vector<bool> passes = passing(p, k, mode == TopKMode::reverse);
    const std::vector<T> laid = p.laid_out(format);
    const TopKDesc desc{.k = k, .mode = mode};
    for (int seed = 1; seed <= runs && !this->HasFatalFailure(); ++seed) {
      SCOPED_TRACE(
          format_args("{} {} [{},{},{}] k {} mode {} seed {}",
                      {dtype_of<T>, format, p.n, p.c, p.length, k, static_cast<int>(mode), seed}));
      simt::set_seed(static_cast<uint64_t>(seed));
      const size_t shift = seed % 4, of_y = seed % 3 == 0 ? shift : (seed / 3) % 4;
      std::vector<T> shifted(shift);
      shifted.insert(shifted.end(), laid.begin(), laid.end());
      const GuardedBuffer<T> x(shifted);
      Output y(laid.size(), of_y);
      const Mask mask(p);
      const bool with_mask = seed % 3 != 2;
      topk_forward(*context_, view_of(p, format, x.data() + shift), view_of(p, format, y.at),
                   with_mask ? mask.view() : nullptr, desc);
      ASSERT_TRUE(y.buffer.intact() && mask.intact());
      compare(p, format, passes, y.at, with_mask ? &mask : nullptr);
      if (!with_mask || this->HasFatalFailure()) continue;
      // The gradient passes where the mask is set; x itself serves as the incoming one.
      Output dx(laid.size(), of_y);
      topk_backward(*context_, view_of(p, format, x.data() + shift), *mask.view(),
                    view_of(p, format, dx.at), desc);
      ASSERT_TRUE(dx.buffer.intact());
      compare(p, format, passes, dx.at, nullptr);
    }
  }

  void compare(const Problem<T>& p, Format format, const std::vector<bool>& passes, const T* y,
               const Mask* mask) {
    for (int64_t r = 0; r < p.rows(); ++r) {
      int64_t count = 0;
      for (int64_t i = 0; i < p.length; ++i) {
        const bool passed = passes[r * p.length + i];
        count += passed;
        ASSERT_EQ(bits_of(y[p.offset(format, r, i)]), passed ? bits_of(p.row(r)[i]) : Bits<T>{0})
            << "row " << r << " index " << i;
        if (mask != nullptr) {
          ASSERT_EQ(mask->bit(r, i), passed) << "mask, row " << r << " index " << i;
        }
      }
      if (mask != nullptr) {
        ASSERT_EQ(mask->count(r), count) << "mask, row " << r;
      }
    }
  }

  // Both modes and both layouts; keep and reverse share the schedules.
  void check_all(const Problem<T>& p, std::vector<int64_t> ks) {
    std::sort(ks.begin(), ks.end());
    ks.erase(std::unique(ks.begin(), ks.end()), ks.end());
    const int runs = schedules();
    for (const int64_t k : ks) {
      if (k < 1 || k > p.length) continue;
      for (const Format format : formats) {
        check(p, k, TopKMode::keep, format, (runs + 1) / 2);
        check(p, k, TopKMode::reverse, format, runs / 2);
      }
    }
  }

  // The forward pass under one seed, laid out logically.
  std::vector<T> forward(const KernelTable* table, const Problem<T>& p, Format format,
                         const TopKDesc& desc) {
    const std::vector<T> x = p.laid_out(format);
    GuardedBuffer<T> y(x.size());
    const View from = view_of(p, format, x.data()), to = view_of(p, format, y.data());
    if (table == nullptr) {
      topk_forward(*context_, from, to, nullptr, desc);
    } else {
      table->topk_forward(*context_, from, to, nullptr, desc);
    }
    std::vector<T> logical;
    for (int64_t r = 0; r < p.rows(); ++r) {
      for (int64_t i = 0; i < p.length; ++i) logical.push_back(y[p.offset(format, r, i)]);
    }
    return logical;
  }
};

using Types = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(TopK, Types);

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

// The means have one value for all schedules: `expected` is what the first gave.
template <class T>
void check_means(const Problem<T>& p, int64_t k, Format format, const T* y, const Mask& mask) {
  for (int64_t r = 0; r < p.rows(); ++r) {
    const std::vector<double> row = p.row_values(r);
    const std::vector<bool> kept = ref::topk_signed_mask(row, k);
    double sum = 0;
    for (int64_t i = 0; i < p.length; ++i) sum += kept[i] ? row[i] : 0;
    const double mean = sum / static_cast<double>(k);
    for (int64_t i = 0; i < p.length; ++i) {
      ASSERT_EQ(mask.bit(r, i), kept[i]) << "row " << r << " index " << i;
      const double got = static_cast<float>(y[p.offset(format, r, i)]);
      const double tolerance = kept[i] ? (sizeof(T) == 4 ? 1e-7 : 4e-3) * std::abs(mean) : 0;
      ASSERT_TRUE(std::abs(got - (kept[i] ? mean : 0)) <= tolerance) << got << ' ' << mean;
    }
  }
}

// Both directions; every schedule gives the same bits.
template <class T>
void check_mean_replace(Context& context, const Problem<T>& p, int64_t k, Format format, int runs) {
  SCOPED_TRACE(format_args("{} {} length {} k {}", {dtype_of<T>, format, p.length, k}));
  const TopKDesc desc{.k = k};
  const GuardedBuffer<T> x(p.laid_out(format));
  const View from = view_of(p, format, x.data());
  std::vector<T> first;
  for (int seed = 1; seed <= runs; ++seed) {
    simt::set_seed(static_cast<uint64_t>(seed));
    GuardedBuffer<T> y(p.x.size()), dx(p.x.size());
    const Mask mask(p);
    topk_mean_replace_forward(context, from, view_of(p, format, y.data()), *mask.view(), desc);
    check_means(p, k, format, y.data(), mask);
    topk_mean_replace_backward(context, from, *mask.view(), view_of(p, format, dx.data()), desc);
    ASSERT_TRUE(y.intact() && dx.intact() && mask.intact());
    for (size_t i = 0; i < p.x.size(); ++i) ASSERT_EQ(bits_of(dx[i]), bits_of(y[i])) << i;
    const std::vector<T> got(y.data(), y.data() + y.size());
    if (seed == 1) first = got;
    ASSERT_TRUE(same_bits(got, first)) << "other bits under seed " << seed;
  }
}

// ---- lengths ----

// 1, 31-33, 49, 196, 1023-1025, with k = 1, some, L-1 and L; not multiples of 4 or 32 among them.
TYPED_TEST(TopK, ShortRows) {
  for (const int64_t length : {1, 2, 31, 32, 33, 49, 67, 196}) {
    const Kind kind = length % 2 == 0 ? Kind::few_values : Kind::gaussian;
    this->check_all(make_problem<TypeParam>(2, 3, length, kind),
                    {1, length / 5, length - 1, length});
  }
}

TYPED_TEST(TopK, RowsAroundAThousand) {
  for (const int64_t length : {784, 1023, 1024, 1025}) {
    const Kind kind = length % 2 == 0 ? Kind::gaussian : Kind::few_values;
    this->check_all(make_problem<TypeParam>(1, 1, length, kind), {1, length / 10, length});
    this->check_all(make_problem<TypeParam>(1, 1, length, kind), {length - 1});
  }
}

// Where another path, or another number of threads, may begin.
TYPED_TEST(TopK, BordersOfThePaths) {
  for (const int64_t length : {255, 256, 257, 511, 512, 513, 2047, 2048, 2049, 4095, 4096, 4097}) {
    this->check_all(make_problem<TypeParam>(1, 1, length, Kind::few_values), {length / 5});
  }
}

TYPED_TEST(TopK, LongRows) {
  const struct {
    int64_t length;
    Kind kind;
  } cases[] = {{8191, Kind::few_values},  {12544, Kind::relu},       {16384, Kind::gaussian},
               {16385, Kind::few_values}, {50176, Kind::relu},       {65536, Kind::smooth},
               {65537, Kind::one_bin},    {131075, Kind::few_values}};
  for (const auto& [length, kind] : cases) {
    this->check_all(make_problem<TypeParam>(1, 1, length, kind), {length / 10});
  }
}

// A warp or two of a block, with words in shared memory.
TYPED_TEST(TopK, RowsOfFewWarps) {
  for (const Kind kind : {Kind::relu, Kind::few_values}) {
    const auto p = make_problem<TypeParam>(1, 3, 3136, kind);
    for (const int64_t k : {1, 300, 3135}) this->check(p, k, TopKMode::keep, formats[0], 3);
  }
}

// ---- values ----

TYPED_TEST(TopK, EveryKindOfValues) {
  for (const Kind kind :
       {Kind::gaussian, Kind::relu, Kind::few_values, Kind::equal, Kind::zero, Kind::mixed_zeros,
        Kind::one, Kind::last_bit, Kind::one_bin, Kind::smooth, Kind::special, Kind::denormal}) {
    SCOPED_TRACE(static_cast<int>(kind));
    for (const int64_t length : {67, 300, 1500}) {
      const int64_t channels = length == 67 ? 33 : 1;
      this->check_all(make_problem<TypeParam>(1, channels, length, kind), {length / 5});
    }
    this->check_all(make_problem<TypeParam>(1, 1, 333, kind), {1, 332});
    // Partly in registers, partly in shared memory.
    const auto long_row = make_problem<TypeParam>(1, 1, 30001 / sizeof(TypeParam), kind);
    this->check(long_row, long_row.length / 5, TopKMode::keep, Format::contiguous, 3);
  }
}

// All equal: the k first are kept, wherever a border of words, warps or chunks lies.
TYPED_TEST(TopK, TiesAcrossEveryBorder) {
  for (const int64_t length : {100, 700, 3000}) {
    std::vector<int64_t> ks{length - 1};
    for (int64_t border = 32; border < length; border *= 2) {
      ks.insert(ks.end(), {border - 1, border, border + 1});
    }
    const auto p = make_problem<TypeParam>(1, 1, length, Kind::equal);
    for (const int64_t k : ks) {
      for (const Format format : formats) this->check(p, k, TopKMode::keep, format, 3);
    }
  }
  this->check_all(make_problem<TypeParam>(1, 2, 1100, Kind::equal), {137});
  // The words of a thread that lie in shared memory, and a cluster's blocks.
  const int64_t of_block = 9000 * 4 / sizeof(TypeParam), of_cluster = 66000 * 4 / sizeof(TypeParam);
  const auto block = make_problem<TypeParam>(1, 1, of_block, Kind::equal);
  for (const int64_t k : {int64_t{1}, of_block / 3, of_block / 2 + 1, of_block - 1}) {
    this->check(block, k, TopKMode::keep, Format::contiguous, 2);
  }
  const auto cluster = make_problem<TypeParam>(1, 1, of_cluster, Kind::equal);
  for (const int64_t k : {of_cluster / 2 - 1, of_cluster / 2 + 33, of_cluster - 5}) {
    this->check(cluster, k, TopKMode::keep, Format::contiguous, 1);
  }
}

// As many non-zero elements, infinities and NaN as are asked for, one fewer, one more.
TYPED_TEST(TopK, CountsAroundK) {
  using Limits = std::numeric_limits<float>;
  for (const int64_t length : {64, 333, 2000}) {
    const int64_t k = length / 4;
    for (const int64_t count : {k - 1, k, k + 1}) {
      for (const float value : {-2.0f, Limits::infinity(), Limits::quiet_NaN()}) {
        const TypeParam others(value == -2.0f ? 0.0f : 1.0f);
        this->check_all(make_counted(1, 1, length, TypeParam(value), count, others), {k});
      }
    }
  }
}

// ---- rows and batches ----

TYPED_TEST(TopK, NoRowsOneRowAndManyRows) {
  for (const Format format : formats) {
    this->check(make_problem<TypeParam>(0, 3, 4, Kind::gaussian), 1, TopKMode::keep, format, 1);
    this->check(make_problem<TypeParam>(3, 0, 4, Kind::gaussian), 1, TopKMode::keep, format, 1);
    this->check(make_problem<TypeParam>(3, 40, 10, Kind::gaussian), 3, TopKMode::keep, format,
                schedules());
  }
  const auto many = make_problem<TypeParam>(2, 32800, 1, Kind::gaussian);  // more than 65,535 rows
  for (const Format format : formats) this->check(many, 1, TopKMode::keep, format, 1);
}

TYPED_TEST(TopK, InPlace) {
  for (const int64_t length : {100, 2000, 131075}) {
    for (const Format format : formats) {
      const auto p = make_problem<TypeParam>(1, length > 100000 ? 1 : 2, length, Kind::few_values);
      const TopKDesc desc{.k = length / 5};
      for (int seed = 1; seed <= schedules(); ++seed) {
        simt::set_seed(static_cast<uint64_t>(seed));
        GuardedBuffer<TypeParam> x(p.laid_out(format));
        const View view = view_of(p, format, x.data());
        topk_forward(*this->context_, view, view, nullptr, desc);
        ASSERT_TRUE(x.intact());
        this->compare(p, format, passing(p, desc.k, false), x.data(), nullptr);
      }
    }
  }
}

// Aligned: packs that lie in one word of the mask, in two, or anyhow; the last is cut off.
TYPED_TEST(TopK, BackwardByPacks) {
  for (const int64_t length : {64, 196, 98, 36, 7}) {
    const auto p = make_problem<TypeParam>(1, 3, length, Kind::gaussian);
    const auto view = [&](const TypeParam* data) { return view_of(p, Format::contiguous, data); };
    const Mask mask(p);
    const GuardedBuffer<TypeParam> x(p.x), y(p.x.size()), dx(p.x.size());
    topk_forward(*this->context_, view(x.data()), view(y.data()), mask.view(), {.k = 5});
    topk_backward(*this->context_, view(x.data()), *mask.view(), view(dx.data()), {.k = 5});
    ASSERT_TRUE(dx.intact());
    this->compare(p, Format::contiguous, passing(p, 5, false), dx.data(), nullptr);
  }
}

// ---- devices ----

// With and without clusters and bulk copies, with more and less shared memory; with few
// multiprocessors, so that blocks walk over several rows.
TYPED_TEST(TopK, OtherDevices) {
  const struct {
    int64_t rows, length;
    Kind kind;
    Format format;
  } cases[] = {{9, 1100, Kind::few_values, Format::contiguous},
               {5, 1999, Kind::gaussian, Format::contiguous},
               {3, 4097, Kind::special, Format::contiguous},
               {2, 9001, Kind::relu, Format::contiguous},
               {2, 20000, Kind::last_bit, Format::contiguous},
               {2, 33003, Kind::few_values, Format::contiguous},
               {35, 300, Kind::few_values, Format::channels_last},
               {9, 1000, Kind::special, Format::channels_last},
               {3, 3136, Kind::gaussian, Format::channels_last}};
  const auto small = [](int architecture, size_t kilobytes) {
    return DeviceProperties{
        .architecture = architecture, .shared_bytes = kilobytes * 1024, .multiprocessors = 1};
  };
  for (const DeviceProperties& properties :
       {small(90, 227), small(90, 24), small(80, 163), small(75, 24)}) {
    SCOPED_TRACE(properties.architecture);
    simt::set_device_properties(properties);
    for (const auto& [rows, length, kind, format] : cases) {
      const auto p = make_problem<TypeParam>(1, rows, length, kind);
      this->check(p, length / 5, TopKMode::keep, format, schedules());
      this->check(p, length / 5, TopKMode::reverse, format, 1);
    }
  }
  simt::set_device_properties({});
}

// Where no cluster can run, a block has the row where it fits, else many; callers who ask before
// they take the workspace learn the same.
TYPED_TEST(TopK, WithoutRoomForClusters) {
  using T = TypeParam;
  constexpr int64_t of_a_block = 64000 * 4 / sizeof(T), of_many = 66000 * 4 / sizeof(T);
  for (const int64_t length : {of_a_block, of_many}) {
    const auto p = make_problem<T>(1, 1, length, Kind::few_values);
    const View view = view_of(p, Format::contiguous, p.x.data());
    simt::set_device_properties({});
    EXPECT_FALSE(topk_needs_workspace(*this->context_, view));
    simt::set_device_properties({.has_room_for_clusters = false});
    EXPECT_EQ(topk_needs_workspace(*this->context_, view), length == of_many);
    this->check(p, length / 5, TopKMode::keep, Format::contiguous, 1);
    check_mean_replace(*this->context_, p, length / 5, Format::contiguous, 1);
  }
}

// ---- agreement ----

// The two layouts, the CPU's kernels and 100 schedules: the same bits; keep + reverse == x.
TYPED_TEST(TopK, AgreesWithTheCpuAndItself) {
  for (const int64_t length : {49, 196, 1300}) {
    const auto p = make_problem<TypeParam>(1, length == 49 ? 5 : 2, length, Kind::few_values);
    const TopKDesc keep{.k = length / 10 + 1};
    const TopKDesc reverse{.k = keep.k, .mode = TopKMode::reverse};
    const auto expected = this->forward(&cpu_kernels, p, Format::contiguous, keep);
    for (int seed = 1; seed <= 5 * schedules(); ++seed) {
      simt::set_seed(static_cast<uint64_t>(seed));
      const Format format = formats[seed % 2];
      ASSERT_TRUE(same_bits(this->forward(nullptr, p, format, keep), expected))
          << length << ' ' << to_string(format) << " seed " << seed;
    }
    const auto rest = this->forward(nullptr, p, Format::contiguous, reverse);
    for (size_t i = 0; i < p.x.size(); ++i) {
      ASSERT_EQ(static_cast<Bits<TypeParam>>(bits_of(expected[i]) | bits_of(rest[i])),
                bits_of(p.x[i]));
      ASSERT_TRUE(bits_of(expected[i]) == 0 || bits_of(rest[i]) == 0);
    }
  }
}

// ---- tau and mean_replace ----

TYPED_TEST(TopK, TauBlends) {
  using T = TypeParam;
  constexpr float tau = 0.3f;
  for (const int64_t length : {120, 1300}) {
    const auto p = make_problem<T>(1, 2, length, Kind::gaussian);
    const TopKDesc desc{.k = length / 5, .tau = tau};
    const std::vector<bool> passes = passing(p, desc.k, false);
    for (const Format format : formats) {
      const GuardedBuffer<T> x(p.laid_out(format));
      for (int seed = 1; seed <= schedules(); ++seed) {
        simt::set_seed(static_cast<uint64_t>(seed));
        GuardedBuffer<T> y(p.x.size()), dx(p.x.size());
        const Mask mask(p);
        topk_forward(*this->context_, view_of(p, format, x.data()), view_of(p, format, y.data()),
                     mask.view(), desc);
        topk_backward(*this->context_, view_of(p, format, x.data()), *mask.view(),
                      view_of(p, format, dx.data()), desc);
        for (int64_t r = 0; r < p.rows(); ++r) {
          for (int64_t i = 0; i < length; ++i) {
            const float value = p.row(r)[i];
            const float sparse = passes[r * length + i] ? value : 0.0f;
            const float kept = tau * sparse, rest = (1.0f - tau) * value;
            const int64_t at = p.offset(format, r, i);
            ASSERT_EQ(bits_of(y[at]), bits_of(T(kept + rest))) << r << ' ' << i;
            ASSERT_EQ(bits_of(dx[at]), bits_of(y[at])) << r << ' ' << i;
          }
        }
      }
    }
  }
}

TYPED_TEST(TopK, MeanReplace) {
  for (const Kind kind : {Kind::gaussian, Kind::few_values, Kind::mixed_zeros}) {
    for (const int64_t length : {5, 130, 1100}) {
      const auto p = make_problem<TypeParam>(2, length > 1000 ? 1 : 3, length, kind);
      for (const Format format : formats) {
        check_mean_replace(*this->context_, p, (length + 3) / 4, format, schedules());
      }
    }
  }
}

TYPED_TEST(TopK, MeanReplaceOnTheOtherPaths) {
  for (const Kind kind : {Kind::gaussian, Kind::few_values}) {
    const auto check = [&](int64_t rows, int64_t length, Format format) {
      check_mean_replace(*this->context_, make_problem<TypeParam>(1, rows, length, kind),
                         length / 4, format, 2);
    };
    check(1, 40000, Format::contiguous);  // a cluster a row
    // Little shared memory, no clusters.
    simt::set_device_properties(
        {.architecture = 80, .shared_bytes = 24 * 1024, .multiprocessors = 1});
    check(3, 20001, Format::contiguous);   // many blocks a row, some rows at a time
    check(3, 700, Format::channels_last);  // tiles that are read again
    simt::set_device_properties({});
  }
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
