// The runs of elementary functions give the bits of their lanes (elementary_test.cpp), with vectors
// of every width, at every place of a run.

#include "kernels/cpu/elementary_runs.h"

#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "kernels/cpu/elementary.h"
#include "kernels/cpu/elementary_runs_of.h"
#include "kernels/cpu/features.h"

namespace gestalt::cpu {
namespace {

struct Named {
  std::string name;
  const ElementaryRuns* runs;
};

std::vector<Named> widths() {
  std::vector<Named> list{{"8 lanes", &ElementaryRunsOf<8>::runs}};
#if defined(__AVX2__)
  if (has_avx512()) list.push_back({"16 lanes", &elementary_runs_avx512()});
#endif
  return list;
}

void expect_same(float value, float expected, float x) {
  if (std::isnan(expected)) {
    ASSERT_TRUE(std::isnan(value)) << x;
  } else {
    ASSERT_EQ(std::bit_cast<uint32_t>(value), std::bit_cast<uint32_t>(expected)) << x;
  }
}

// run(x, count, y) gives f(x[i]) for floats all over their range, and touches nothing behind.
template <class Run, class F>
void expect_bits(const Run& run, const F& f) {
  std::vector<float> x;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 500009) {
    x.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
  }
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float value : {0.0f, -0.0f, infinity, -infinity, 1.0f, -1.0f, 88.7f, -103.9f, NAN}) {
    x.push_back(value);
  }
  constexpr float untouched = 1234;
  for (int64_t begin = 0, size = 0; begin + size < static_cast<int64_t>(x.size()); ++size) {
    std::vector<float> y(size + 20, untouched);
    run(x.data() + begin, size, y.data());
    for (int64_t i = 0; i < size; ++i) expect_same(y[i], f(x[begin + i]), x[begin + i]);
    for (int64_t i = size; i < size + 20; ++i) ASSERT_EQ(y[i], untouched) << size << ' ' << i;
    begin += size;
  }
}

TEST(ElementaryRuns, HaveTheBitsOfLanes) {
  for (const auto& [name, runs] : widths()) {
    SCOPED_TRACE(name);
    expect_bits(runs->exp, [](float x) { return exp_lanes(x); });
    expect_bits(runs->log, [](float x) { return log_lanes(x); });
    expect_bits(runs->sigmoid, [](float x) { return sigmoid_lanes(x); });
    expect_bits(runs->tanh, [](float x) { return tanh_lanes(x); });
    expect_bits(
        [&](const float* x, int64_t count, float* y) { runs->exp_below(x, 1.5f, count, y); },
        [](float x) { return exp_lanes(x - 1.5f); });
    const std::vector<float> target(200, 0.25f);
    expect_bits(
        [&](const float* x, int64_t count, float* y) {
          ASSERT_LE(count, 200);
          runs->binary_cross_entropy(x, target.data(), count, y);
        },
        [](float x) { return binary_cross_entropy_lanes(x, 0.25f); });
    expect_bits(
        [&](const float* x, int64_t count, float* y) {
          runs->binary_cross_entropy_gradient(3, x, target.data(), count, y);
        },
        [](float x) { return 3 * (sigmoid_lanes(x) - 0.25f); });
  }
}

TEST(ElementaryRuns, InPlace) {
  for (const auto& [name, runs] : widths()) {
    std::vector<float> x(37, 0.5f);
    runs->exp(x.data(), 37, x.data());
    for (const float value : x) EXPECT_EQ(value, exp_lanes(0.5f)) << name;
  }
}

}  // namespace
}  // namespace gestalt::cpu
