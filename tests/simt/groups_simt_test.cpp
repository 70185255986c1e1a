// Batch norm, channel statistics and AdaIN on CUDA where a group is more than one block sums up,
// against the CPU's kernels. The cases of test_ops are smaller than that.

#include "tests/simt/group_elements.h"
// Behind the language of device code.
#include "kernels/cuda/groups.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

using Array = Elements<float>;

void expect_near(const Array& got, const Array& expected, double tolerance, const char* what) {
  EXPECT_TRUE(got.data.intact()) << what;
  expect_near(Results{{what, tolerance, got.floats()}},
              Results{{what, tolerance, expected.floats()}});
}

class SumsOfGroups : public testing::TestWithParam<Format> {
 protected:
  // Contiguous: 2 * 9409 elements a channel. Channels-last: 32 channels of those a block.
  const Shape shape_ =
      GetParam() == Format::contiguous ? Shape{2, 3, 97, 97} : Shape{2, 35, 23, 25};
  Both both_;

  Array image(unsigned seed) { return Array(shape_, GetParam(), 3, seed); }
};

TEST_P(SumsOfGroups, AreSharedOut) {
  const Array x = image(1);
  EXPECT_GT(GroupParts(Groups(x.view, true)).count, 1);
  const Array large = Array({1, 2, 150, 150}, GetParam(), 3, 1);
  EXPECT_GT(GroupParts(Groups(large.view, false)).count, 1);
}

TEST_P(SumsOfGroups, BatchNorm) {
  const int64_t channels = shape_[1];
  const Array x = image(1), dy = image(2);
  const Array weight = Array({channels}, Format::contiguous, 1, 3);
  const Array bias = Array({channels}, Format::contiguous, 0, 4);
  struct Outputs {
    Outputs(const Shape& shape, Format format)
        : y(shape, format), dx(shape, format), of_channel{shape[1]} {}
    Array y, dx;
    Shape of_channel;
    Array mean{of_channel}, inverse_std{of_channel}, dweight{of_channel}, dbias{of_channel};
    Array running_mean = Array(of_channel, Format::contiguous, 1, 5);
    Array running_variance = Array(of_channel, Format::contiguous, 1, 6);
  };
  const auto run = [&](Context& context, Activation activation, Outputs& out) {
    BatchNormDesc desc;
    desc.activation = activation;
    const KernelTable& kernels = context.kernels();
    kernels.batch_norm_training(context, x.view, weight.view, bias.view, nullptr,
                                &out.running_mean.view, &out.running_variance.view, out.y.view,
                                out.mean.view, out.inverse_std.view, desc);
    const View* relu_output = activation == Activation::relu ? &out.y.view : nullptr;
    kernels.batch_norm_backward(context, dy.view, relu_output, x.view, weight.view, out.mean.view,
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
  const Array x = Array({1, 2, 150, 150}, GetParam(), 30, 1);
  Array mean({1, 2}), deviation({1, 2}), expected_mean({1, 2}), expected_deviation({1, 2});
  both_.cpu->kernels().channel_stats_forward(*both_.cpu, x.view, 1e-5, expected_mean.view,
                                             expected_deviation.view);
  both_.cuda->kernels().channel_stats_forward(*both_.cuda, x.view, 1e-5, mean.view, deviation.view);
  expect_near(mean, expected_mean, 1e-7, "mean");
  expect_near(deviation, expected_deviation, 1e-6, "deviation");
}

// ---- elements read in packs and one by one, groups that a block holds and larger ones ----

template <class T>
Results batch_norm(Context& context, const Shape& shape, Format format) {
  const Shape channels{shape[1]};
  const auto flat = Format::contiguous;
  const Elements<T> x(shape, format, 3, 1), dy(shape, format, 0, 2);
  const Elements<float> weight(channels, flat, 1, 3), bias(channels, flat, 0, 4);
  Elements<T> y(shape, format), dx(shape, format);
  Elements<float> mean(channels, flat), inverse_std(channels, flat);
  Elements<float> dweight(channels, flat), dbias(channels, flat);
  BatchNormDesc desc;
  desc.activation = Activation::relu;
  const KernelTable& kernels = context.kernels();
  kernels.batch_norm_training(context, x.view, weight.view, bias.view, nullptr, nullptr, nullptr,
                              y.view, mean.view, inverse_std.view, desc);
  kernels.batch_norm_backward(context, dy.view, &y.view, x.view, weight.view, mean.view,
                              inverse_std.view, &dx.view, &dweight.view, &dbias.view);
  EXPECT_TRUE(y.data.intact() && dx.data.intact() && dweight.data.intact());
  // Where y is nearly 0, CPU and CUDA may round it to either side; dx is that of one element then.
  return {{"y", rounding<T>, y.floats()},
          {"mean", 2e-7, mean.floats()},
          {"inverse_std", 2e-6, inverse_std.floats()},
          {"dx", 2e-5 + rounding<T>, dx.floats()},
          {"dweight", 2e-5, dweight.floats()},
          {"dbias", 2e-5, dbias.floats()}};
}

// A residual added and a ReLU after it, in training and in inference; as one or op by op.
template <class T>
Results batch_norm_sum(Context& context, const Shape& shape, Format format, int before, bool as_one,
                       Activation activation) {
  const Shape channels{shape[1]};
  const auto flat = Format::contiguous;
  const Elements<T> x(shape, format, 3, 1, before), residual(shape, format, 0, 2, before);
  const Elements<float> weight(channels, flat, 1, 3), bias(channels, flat, 0, 4);
  const Elements<float> running_mean(channels, flat, 3, 5), deviation(channels, flat, 4, 6);
  Elements<float> running_variance(channels, flat), mean(channels, flat),
      inverse_std(channels, flat);
  Elements<T> y(shape, format, before), inferred(shape, format, before);
  const KernelTable& kernels = context.kernels();
  kernels.multiply(context, deviation.view, deviation.view, running_variance.view);
  BatchNormDesc desc;
  if (as_one) desc.activation = activation;
  const View* added = as_one ? &residual.view : nullptr;
  kernels.batch_norm_training(context, x.view, weight.view, bias.view, added, nullptr, nullptr,
                              y.view, mean.view, inverse_std.view, desc);
  kernels.batch_norm_inference(context, x.view, weight.view, bias.view, added, running_mean.view,
                               running_variance.view, inferred.view, desc);
  for (const View& sum : {y.view, inferred.view}) {
    if (as_one) continue;
    kernels.add(context, sum, residual.view, sum);
    if (activation == Activation::relu) kernels.relu(context, sum, sum);
  }
  EXPECT_TRUE(y.data.intact() && inferred.data.intact());
  return {{"y", rounding<T>, y.floats()}, {"inferred", rounding<T>, inferred.floats()}};
}

template <class T>
class GroupElements : public testing::Test {};
using ElementTypes = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(GroupElements, ElementTypes);

TYPED_TEST(GroupElements, OfManyShapes) {
  const struct {
    Shape shape;
    Format format;
  } cases[] = {
      {{2, 3, 4, 12}, Format::contiguous},       // packs, held
      {{2, 3, 24, 36}, Format::contiguous},      // of several warps
      {{1, 2, 7, 9}, Format::contiguous},        // one by one, held
      {{1, 2, 96, 100}, Format::contiguous},     // packs, by one block
      {{1, 2, 91, 99}, Format::contiguous},      // one by one
      {{2, 2, 104, 100}, Format::contiguous},    // batch norm: by several blocks
      {{2, 40, 5, 7}, Format::channels_last},    // packs, a block that is not full
      {{2, 35, 5, 7}, Format::channels_last},    // one by one
      {{1, 40, 25, 29}, Format::channels_last},  // packs, by several blocks
      {{2, 48, 5, 27}, Format::channels_last},   // blocks that are not whole warps
      {{1, 2072, 3, 3}, Format::channels_last}   // pixels of more packs than a block has threads
  };
  for (const auto& [shape, format] : cases) {
    SCOPED_TRACE(to_string(shape));
    check_operation([&](Context& context) { return batch_norm<TypeParam>(context, shape, format); },
                    shape.numel() < 5000 ? 20 : 4);
  }
}

TYPED_TEST(GroupElements, WithAResidualHaveTheBitsOfSeparateOps) {
  const auto last = Format::channels_last, flat = Format::contiguous;
  const struct {
    Shape shape;
    Format format;
    int before = 0;  // 1: arrays that are not aligned to packs
  } cases[] = {{{2, 3, 4, 12}, flat},  {{2, 3, 4, 12}, flat, 1}, {{1, 2, 7, 9}, flat},
               {{2, 3, 24, 36}, flat}, {{2, 40, 5, 7}, last},    {{2, 40, 5, 7}, last, 1},
               {{2, 35, 5, 7}, last},  {{2, 48, 5, 27}, last},   {{1, 2072, 3, 3}, last},
               {{1, 2, 91, 99}, flat}};
  for (const auto& [shape, format, before] : cases) {
    for (const Activation activation : {Activation::none, Activation::relu}) {
      SCOPED_TRACE(to_string(shape) + (before == 1 ? ", not aligned" : ""));
      const auto run = [&, shape = shape, format = format, before = before](Context& context,
                                                                            bool as_one) {
        return batch_norm_sum<TypeParam>(context, shape, format, before, as_one, activation);
      };
      const Results as_one =
          check_operation([&](Context& context) { return run(context, true); }, 3);
      Both both;
      expect_same(as_one, run(*both.cuda, false), "than op by op");
    }
  }
}

// A thread of map_columns finds what its channels have in common once. The bits are those of a
// kernel that finds it for each element, for any length of blocks.
template <class T>
class MapColumns : public testing::Test {
 protected:
  static constexpr int size = 16 / sizeof(T);

  // Both kernels' out from `op`, which gets the array to write to.
  template <class MakeOp>
  void compare(const Groups& groups, const Shape& shape, const MakeOp& make_op) {
    Elements<T> expected(shape, Format::channels_last);
    const auto plain = make_op(expected.view);
    launch(*both_.cuda, "map_groups", map_groups<1, std::remove_const_t<decltype(plain)>>,
           {dim3(static_cast<unsigned>((groups.numel + 1023) / 1024)), dim3(group_threads)}, groups,
           true, plain);
    const int64_t packs = groups.channels / size;
    const auto width = static_cast<int>(std::min<int64_t>(packs, group_threads));
    const int rows = group_threads / width;
    const int64_t planes = groups.groups / groups.channels;
    for (const int64_t packs_a_thread : {1, 3, 4, 8, 9}) {
      Elements<T> got(shape, Format::channels_last);
      const auto op = make_op(got.view);
      const int64_t length = rows * packs_a_thread;
      const auto blocks = static_cast<unsigned>((groups.count + length - 1) / length);
      launch(*both_.cuda, "map_columns", map_columns<size, std::remove_const_t<decltype(op)>>,
             {dim3(blocks * static_cast<unsigned>(planes),
                   static_cast<unsigned>((packs + width - 1) / width)),
              dim3(static_cast<unsigned>(width * rows))},
             groups, ColumnTiles{width, length, blocks}, true, op);
      EXPECT_TRUE(got.data.intact());
      expect_same({{"out", 0, got.floats()}}, {{"out", 0, expected.floats()}},
                  "than one element at a time");
    }
  }

  Both both_;
};
TYPED_TEST_SUITE(MapColumns, ElementTypes);

TYPED_TEST(MapColumns, HasTheBitsOfOneElementAtATime) {
  using T = TypeParam;
  const auto last = Format::channels_last, flat = Format::contiguous;
  for (const Shape& shape : {Shape{3, 64, 9, 7}, Shape{2, 48, 5, 9}, Shape{1, 2072, 2, 2}}) {
    SCOPED_TRACE(to_string(shape));
    const Elements<T> x(shape, last, 3, 1), dy(shape, last, 0, 2), y(shape, last, 0, 3);
    for (const bool of_batch : {true, false}) {
      const Groups groups(x.view, of_batch);
      const Shape of_groups{groups.groups};
      Array mean(of_groups, flat, 3, 4), deviation(of_groups, flat, 2, 5);
      Array weight(of_groups, flat, 1, 6), bias(of_groups, flat, 0, 7);
      std::vector<GradientAverages::Of> averages;
      for (int64_t g = 0; g < groups.groups; ++g) {
        averages.push_back({weight.data.data()[g] / 8, bias.data.data()[g] / 8});
      }
      simt::GuardedBuffer<GradientAverages::Of> of_group(averages);
      this->compare(groups, shape, [&](const View& out) {
        return Affine<T, BatchNormSlope>{
            x.view.template as<const T>(),
            out.as<T>(),
            statistic(mean.view),
            {},
            {statistic(weight.view), statistic(bias.view), statistic(deviation.view)},
            true};
      });
      this->compare(groups, shape, [&](const View& out) {
        return AffineSum<T, BatchNormSlope>{
            {x.view.template as<const T>(),
             out.as<T>(),
             statistic(mean.view),
             {},
             {statistic(weight.view), statistic(bias.view), statistic(deviation.view)},
             true},
            dy.view.template as<const T>()};
      });
      this->compare(groups, shape, [&](const View& out) {
        const NormalizedInput<T> input{
            dy.view.template as<const T>(), y.view.template as<const T>(),
            x.view.template as<const T>(),  statistic(mean.view),
            statistic(deviation.view),      true};
        return NormalizedGradient<T>{
            input, {1, 1, of_group.data()}, statistic(weight.view), out.as<T>()};
      });
    }
  }
}

// The first element is far from all others, which are equal but for little: what is summed, shifted
// by the first, is nearly the same everywhere.
TEST(ChannelStatistics, OutlierFirst) {
  for (const Format format : {Format::contiguous, Format::channels_last}) {
    const Shape shape{1, 8, 120, 100};
    Elements<float> x(shape, format, 0, 1);
    std::vector<double> sum(8), squares(8);
    for (int64_t c = 0; c < 8; ++c) {
      x.data.data()[c * x.view.strides[1]] = 1000;
      const auto at = [&](int64_t p) -> double {
        return x.data
            .data()[c * x.view.strides[1] + p * (format == Format::contiguous ? 1 : shape[1])];
      };
      double mean = 0, square = 0;
      for (int64_t p = 0; p < 12000; ++p) mean += at(p) / 12000;
      for (int64_t p = 0; p < 12000; ++p) square += (at(p) - mean) * (at(p) - mean);
      sum[c] = mean, squares[c] = square;
    }
    Elements<float> mean({1, 8}, Format::contiguous), deviation({1, 8}, Format::contiguous);
    Both both;
    both.cuda->kernels().channel_stats_forward(*both.cuda, x.view, 0, mean.view, deviation.view);
    for (int64_t c = 0; c < 8; ++c) {
      EXPECT_NEAR(mean.data.data()[c], sum[c], 1e-5);
      EXPECT_NEAR(deviation.data.data()[c] / std::sqrt(squares[c] / 11999), 1, 1e-6);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, SumsOfGroups,
                         testing::Values(Format::contiguous, Format::channels_last),
                         [](const auto& info) {
                           return info.param == Format::contiguous ? "contiguous" : "channels_last";
                         });

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
