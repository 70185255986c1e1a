// Channel statistics on the CPU where a naive sum of squares would fail.

#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "kernels/parallel.h"
#include "kernels/runtime.h"
#include "kernels/table.h"
#include "tests/kernels/view_of.h"

namespace gestalt::cpu {
namespace {

using tests::view_of;

TEST(ChannelStats, LargeMeansDoNotCancelTheVariance) {
  const auto context = cpu_runtime.make_context(0);
  const int threads = num_threads();
  for (const double mean : {0.0, 1e4, -3e6}) {
    for (const Format format : {Format::contiguous, Format::channels_last}) {
      const Shape shape{2, 3, 57, 91}, stat{2, 3};
      const int64_t length = 57 * 91;
      std::mt19937_64 engine(1);
      std::normal_distribution<double> normal(mean, 1);
      std::vector<float> x(shape.numel());
      for (float& value : x) value = static_cast<float>(normal(engine));
      const View x_v = view_of(x, shape, format);
      std::vector<float> got_mean(6), got_deviation(6), mean_one(6), deviation_one(6);
      cpu_runtime.kernels.channel_stats_forward(*context, x_v, 0, view_of(got_mean, stat),
                                                view_of(got_deviation, stat));
      set_num_threads(1);
      cpu_runtime.kernels.channel_stats_forward(*context, x_v, 0, view_of(mean_one, stat),
                                                view_of(deviation_one, stat));
      set_num_threads(threads);
      EXPECT_EQ(got_mean, mean_one);
      EXPECT_EQ(got_deviation, deviation_one);
      for (int64_t r = 0; r < 6; ++r) {
        const auto at = [&](int64_t p) {
          return static_cast<long double>(x[(r / 3) * x_v.strides[0] + (r % 3) * x_v.strides[1] +
                                            (format == Format::contiguous ? p : p * 3)]);
        };
        long double sum = 0, squares = 0;
        for (int64_t p = 0; p < length; ++p) sum += at(p);
        const long double exact = sum / length;
        for (int64_t p = 0; p < length; ++p) squares += (at(p) - exact) * (at(p) - exact);
        const double deviation = static_cast<double>(std::sqrt(squares / (length - 1)));
        EXPECT_TRUE(std::abs(got_mean[r] - static_cast<double>(exact)) <=
                    6e-8 * (std::abs(mean) + 1));
        EXPECT_TRUE(std::abs(got_deviation[r] / deviation - 1) <= 1e-6) << got_deviation[r];
      }
    }
  }
}

}  // namespace
}  // namespace gestalt::cpu
