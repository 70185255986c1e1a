#pragma once

// Arrays for the kernels of kernels/cuda/groups.h, and an operation's results on both kernel
// tables.

#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "kernels/cpu/table.h"
#include "kernels/cuda/device/shared.cuh"  // the language of device code
#include "kernels/runtime.h"
#include "tests/largest_difference.h"
#include "tests/simt/executor.h"
#include "tests/simt/guarded_buffer.h"
#include "tests/simt/table.h"

namespace GESTALT_CUDA_NAMESPACE {

// The two kernel tables side by side: each function gets its own outputs.
struct Both {
  std::unique_ptr<Context> cpu = cpu_runtime.make_context(0), cuda = cpu_runtime.make_context(0);
  Both() { cuda->set_kernels(simt_kernels()); }
};

template <class T>
struct Elements {
  // An input, from a normal distribution. `before`: zeros in front of it; one leaves it unaligned.
  Elements(const Shape& shape, Format format, float mean, unsigned seed, int before = 0)
      : data(values(shape.numel(), mean, seed, before)), view(view_of(shape, format, before)) {}
  // An output.
  explicit Elements(const Shape& shape, Format format = Format::contiguous, int before = 0)
      : data(static_cast<size_t>(shape.numel() + before)), view(view_of(shape, format, before)) {}

  std::vector<float> floats() const {
    const T* first = view.as<const T>();
    return std::vector<float>(first, first + view.numel());
  }

  simt::GuardedBuffer<T> data;
  View view;

 private:
  static std::vector<T> values(int64_t count, float mean, unsigned seed, int before) {
    std::mt19937 random(seed);
    std::normal_distribution<float> distribution(mean);
    std::vector<T> result(static_cast<size_t>(before));
    for (int64_t i = 0; i < count; ++i) result.push_back(T(distribution(random)));
    return result;
  }
  View view_of(const Shape& shape, Format format, int before) {
    return {data.data() + before, dtype_of<T>, Device{}, shape, strides_of(shape, format)};
  }
};

struct Named {
  const char* name;
  double tolerance;  // times the largest of the expected ones
  std::vector<float> values;
};
using Results = std::vector<Named>;

inline void expect_near(const Results& got, const Results& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t r = 0; r < got.size(); ++r) {
    double scale = 0;
    for (const double value : expected[r].values) {
      if (std::isfinite(value)) scale = std::max(scale, std::abs(value));
    }
    EXPECT_LE(tests::largest_difference(got[r].values, expected[r].values),
              expected[r].tolerance * scale)
        << got[r].name;
  }
}

inline void expect_same(const Results& got, const Results& expected, const char* why) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t r = 0; r < got.size(); ++r) {
    EXPECT_TRUE(got[r].values == expected[r].values) << got[r].name << ": other bits " << why;
  }
}

// Of one rounding to T.
template <class T>
constexpr double rounding = std::is_same_v<T, float>     ? 2e-6
                            : std::is_same_v<T, float16> ? 1e-3
                                                         : 8e-3;

// Run on both tables; the same bits under all schedules. Returns those.
template <class Operation>
Results check_operation(const Operation& operation, int schedules = 20) {
  Both both;
  const Results expected = operation(*both.cpu);
  Results first;
  for (int seed = 1; seed <= schedules; ++seed) {
    simt::set_seed(static_cast<uint64_t>(seed));
    Results got = operation(*both.cuda);
    if (seed == 1) {
      expect_near(got, expected);
      first = std::move(got);
    } else {
      expect_same(got, first, "under another schedule");
    }
  }
  return first;
}

}  // namespace GESTALT_CUDA_NAMESPACE
