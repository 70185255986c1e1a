// Batch norm, channel statistics and AdaIN on CUDA where a group is more than one block sums up,
// against the CPU's kernels. The cases of test_ops are smaller than that.

#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "kernels/cpu/table.h"
#include "kernels/cuda/device/shared.cuh"  // the language of device code
#include "kernels/cuda/groups.h"
#include "kernels/runtime.h"
#include "tests/simt/guarded_buffer.h"
#include "tests/simt/table.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

struct Array {
  explicit Array(const Shape& shape, Format format = Format::contiguous)
      : data(static_cast<size_t>(shape.numel())), view(view_of(shape, format)) {}
  Array(const Shape& shape, Format format, const std::vector<float>& values)
      : data(values), view(view_of(shape, format)) {}

  View view_of(const Shape& shape, Format format) {
    return {data.data(), DType::f32, Device{}, shape, strides_of(shape, format)};
  }

  simt::GuardedBuffer<float> data;
  View view;
};

Array normal(const Shape& shape, Format format, float mean, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> distribution(mean);
  std::vector<float> values(static_cast<size_t>(shape.numel()));
  for (float& value : values) value = distribution(random);
  return Array(shape, format, values);
}

void expect_near(const Array& got, const Array& expected, double tolerance, const char* what) {
  EXPECT_TRUE(got.data.intact()) << what;
  double largest = 0, error = 0;
  for (int64_t i = 0; i < got.view.numel(); ++i) {
    const double value = expected.data.data()[i], other = got.data.data()[i];
    largest = std::max(largest, std::abs(value));
    if (!(std::abs(value - other) <= error)) error = std::abs(value - other);
  }
  EXPECT_LE(error, tolerance * largest) << what;
}

// The two kernel tables side by side: each function gets its own outputs.
struct Both {
  std::unique_ptr<Context> cpu = cpu_runtime.make_context(0), cuda = cpu_runtime.make_context(0);
  Both() { cuda->set_kernels(simt_kernels()); }
};

class SumsOfGroups : public testing::TestWithParam<Format> {
 protected:
  // Contiguous: 2 * 9409 elements a channel. Channels-last: 32 channels of those a block.
  const Shape shape_ =
      GetParam() == Format::contiguous ? Shape{2, 3, 97, 97} : Shape{2, 35, 23, 25};
  Both both_;

  Array image(unsigned seed) { return normal(shape_, GetParam(), 3, seed); }
};

TEST_P(SumsOfGroups, AreSharedOut) {
  const Array x = image(1);
  EXPECT_GT(GroupParts(Groups(x.view, true)).count, 1);
  const Array large = normal({1, 2, 150, 150}, GetParam(), 3, 1);
  EXPECT_GT(GroupParts(Groups(large.view, false)).count, 1);
}

TEST_P(SumsOfGroups, BatchNorm) {
  const int64_t channels = shape_[1];
  const Array x = image(1), dy = image(2);
  const Array weight = normal({channels}, Format::contiguous, 1, 3);
  const Array bias = normal({channels}, Format::contiguous, 0, 4);
  struct Outputs {
    Outputs(const Shape& shape, Format format)
        : y(shape, format), dx(shape, format), of_channel{shape[1]} {}
    Array y, dx;
    Shape of_channel;
    Array mean{of_channel}, inverse_std{of_channel}, dweight{of_channel}, dbias{of_channel};
    Array running_mean = normal(of_channel, Format::contiguous, 1, 5);
    Array running_variance = normal(of_channel, Format::contiguous, 1, 6);
  };
  const auto run = [&](Context& context, Activation activation, Outputs& out) {
    BatchNormDesc desc;
    desc.activation = activation;
    const KernelTable& kernels = context.kernels();
    kernels.batch_norm_training(context, x.view, weight.view, bias.view, &out.running_mean.view,
                                &out.running_variance.view, out.y.view, out.mean.view,
                                out.inverse_std.view, desc);
    const View* passed_by = activation == Activation::relu ? &out.y.view : nullptr;
    kernels.batch_norm_backward(context, dy.view, passed_by, x.view, weight.view, out.mean.view,
                                out.inverse_std.view, &out.dx.view, &out.dweight.view,
                                &out.dbias.view);
  };
  for (const Activation activation : {Activation::none, Activation::relu}) {
    Outputs expected(shape_, GetParam()), got(shape_, GetParam());
    run(*both_.cpu, activation, expected);
    run(*both_.cuda, activation, got);
    expect_near(got.y, expected.y, 2e-6, "y");
    expect_near(got.mean, expected.mean, 1e-6, "mean");
    expect_near(got.inverse_std, expected.inverse_std, 1e-6, "inverse_std");
    expect_near(got.running_mean, expected.running_mean, 1e-6, "running_mean");
    expect_near(got.running_variance, expected.running_variance, 1e-6, "running_variance");
    expect_near(got.dx, expected.dx, 1e-5, "dx");
    expect_near(got.dweight, expected.dweight, 1e-5, "dweight");
    expect_near(got.dbias, expected.dbias, 1e-5, "dbias");
  }
}

TEST_P(SumsOfGroups, ChannelStats) {
  const Array x = normal({1, 2, 150, 150}, GetParam(), 30, 1);
  Array mean({1, 2}), deviation({1, 2}), expected_mean({1, 2}), expected_deviation({1, 2});
  both_.cpu->kernels().channel_stats_forward(*both_.cpu, x.view, 1e-5, expected_mean.view,
                                             expected_deviation.view);
  both_.cuda->kernels().channel_stats_forward(*both_.cuda, x.view, 1e-5, mean.view, deviation.view);
  expect_near(mean, expected_mean, 1e-7, "mean");
  expect_near(deviation, expected_deviation, 1e-6, "deviation");
}

INSTANTIATE_TEST_SUITE_P(Formats, SumsOfGroups,
                         testing::Values(Format::contiguous, Format::channels_last),
                         [](const auto& info) {
                           return info.param == Format::contiguous ? "contiguous" : "channels_last";
                         });

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
