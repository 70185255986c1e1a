// AdaIN on CUDA, in one launch and in several, against the CPU's kernels: contents and styles at
// and around what a block holds, in packs and one by one, unaligned, channels-last.

#include "tests/simt/group_elements.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

constexpr Format flat = Format::contiguous, last = Format::channels_last;

struct Style {
  Shape shape;  // rank 0: statistics alone are given
  Format format = flat;
};

struct AdainCase {
  Shape content;
  Format format;
  Style style;
  uint64_t launches;  // of the forward pass
  int schedules = 20;
};

// `before`: as in Elements, of all arrays.
template <class T, class S = T>
Results adain(Context& context, const AdainCase& of, int before = 0) {
  const Shape stat{of.content[0], of.content[1]};
  const Elements<T> x(of.content, of.format, 3, 1, before), dy(of.content, of.format, 0, 2, before);
  const bool has_style = of.style.shape.rank() > 0;
  const Elements<S> style(has_style ? of.style.shape : Shape{1}, of.style.format, 1, 3, before);
  Elements<T> y(of.content, of.format, before), dx(of.content, of.format, before);
  Elements<float> mean(stat, flat), deviation(stat, flat);
  Elements<float> given_mean(stat, flat, 1, 4), given_deviation(stat, flat, 2, 5);
  Elements<float> found_mean(stat, flat), found_deviation(stat, flat);
  Elements<float> dstyle_mean(stat, flat), dstyle_deviation(stat, flat);
  const View& style_mean = has_style ? found_mean.view : given_mean.view;
  const View& style_deviation = has_style ? found_deviation.view : given_deviation.view;
  const KernelTable& kernels = context.kernels();
  const uint64_t launches = simt::launches();
  kernels.adain_forward(context, x.view, has_style ? &style.view : nullptr, 1e-5, mean.view,
                        deviation.view, style_mean, style_deviation, y.view);
  if (&kernels == &simt_kernels()) {
    EXPECT_EQ(simt::launches() - launches, of.launches);
  }
  kernels.adain_backward(context, dy.view, x.view, mean.view, deviation.view, style_deviation,
                         &dx.view, &dstyle_mean.view, &dstyle_deviation.view);
  for (const Elements<T>* array : {&y, &dx}) EXPECT_TRUE(array->data.intact());
  for (const Elements<float>* array :
       {&mean, &deviation, &found_mean, &found_deviation, &dstyle_mean, &dstyle_deviation}) {
    EXPECT_TRUE(array->data.intact());
  }
  const auto values = [](const View& view) {
    return std::vector<float>(view.as<float>(), view.as<float>() + view.numel());
  };
  return {{"y", rounding<T>, y.floats()},
          {"mean", 2e-7, mean.floats()},
          {"deviation", 2e-6, deviation.floats()},
          {"style mean", 2e-7, values(style_mean)},
          {"style deviation", 2e-6, values(style_deviation)},
          {"dx", 2e-5 + rounding<T>, dx.floats()},
          {"dstyle_mean", 2e-5, dstyle_mean.floats()},
          {"dstyle_deviation", 2e-5, dstyle_deviation.floats()}};
}

const Shape none{};

template <class T>
class Adain : public testing::Test {};
using ElementTypes = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(Adain, ElementTypes);

TYPED_TEST(Adain, InOneLaunch) {
  for (const AdainCase& of : {
           AdainCase{{2, 3, 4, 12}, flat, {none}, 1},             // packs
           AdainCase{{1, 2, 1, 3}, flat, {none}, 1},              // three pixels
           AdainCase{{1, 2, 7, 9}, flat, {none}, 1},              // one by one
           AdainCase{{2, 3, 4, 12}, flat, {{2, 3, 4, 4}}, 1},     // a smaller style
           AdainCase{{1, 2, 4, 4}, flat, {{1, 2, 24, 36}}, 1},    // a larger one, of several warps
           AdainCase{{1, 2, 5, 5}, flat, {{1, 2, 8, 8}}, 1},      // the style alone in packs
           AdainCase{{2, 2, 24, 36}, flat, {{2, 2, 27, 19}}, 1},  // the content alone
           AdainCase{{1, 1, 128, 128}, flat, {none}, 1, 2},       // as much as a block holds
           AdainCase{{1, 1, 3, 7}, flat, {{1, 1, 127, 129}}, 1, 2}  // a style of almost that
       }) {
    SCOPED_TRACE(to_string(of.content) + " " + to_string(of.style.shape));
    const auto operation = [&](int before) {
      return [&, before](Context& context) { return adain<TypeParam>(context, of, before); };
    };
    const Results aligned = check_operation(operation(0), of.schedules);
    expect_same(check_operation(operation(1), 1), aligned, "where arrays are not aligned");
  }
}

TYPED_TEST(Adain, InSeveral) {
  for (const AdainCase& of : {
           AdainCase{{2, 40, 5, 7}, last, {none}, 2},               // channels-last, in packs
           AdainCase{{2, 35, 5, 7}, last, {{2, 35, 4, 4}}, 3},      // one by one, style contiguous
           AdainCase{{1, 3, 4, 4}, flat, {{1, 3, 5, 5}, last}, 3},  // the style channels-last
           AdainCase{{1, 1, 129, 128}, flat, {none}, 3, 1},         // of two parts, then the map
           AdainCase{{1, 1, 4, 4}, flat, {{1, 1, 129, 128}}, 4, 1}  // the style's two parts
       }) {
    SCOPED_TRACE(to_string(of.content) + " " + to_string(of.style.shape));
    check_operation([&](Context& context) { return adain<TypeParam>(context, of); }, of.schedules);
  }
}

// A style's statistics have the same bits whichever kernel finds them.
template <class T, class S>
void expect_same_by_statistics(const AdainCase& of) {
  Both both;
  const Shape stat{of.content[0], of.content[1]};
  const Elements<T> x(of.content, of.format, 3, 1);
  const Elements<S> style(of.style.shape, of.style.format, 1, 2);
  for (Context* context : {both.cpu.get(), both.cuda.get()}) {
    const KernelTable& kernels = context->kernels();
    const auto adain = [&](bool of_array) {
      Elements<T> y(of.content, of.format);
      Elements<float> mean(stat), deviation(stat), style_mean(stat), style_deviation(stat);
      if (!of_array) {
        kernels.channel_stats_forward(*context, style.view, 1e-5, style_mean.view,
                                      style_deviation.view);
      }
      kernels.adain_forward(*context, x.view, of_array ? &style.view : nullptr, 1e-5, mean.view,
                            deviation.view, style_mean.view, style_deviation.view, y.view);
      return Results{{"y", 0, y.floats()},
                     {"mean", 0, mean.floats()},
                     {"deviation", 0, deviation.floats()},
                     {"style mean", 0, style_mean.floats()},
                     {"style deviation", 0, style_deviation.floats()}};
    };
    expect_same(adain(true), adain(false), "of an array and of its statistics");
  }
}

TYPED_TEST(Adain, OfAnArrayIsThatOfItsStatistics) {
  for (const AdainCase& of : {
           AdainCase{{2, 3, 4, 12}, flat, {{2, 3, 4, 4}}, 1},
           AdainCase{{2, 2, 28, 28}, flat, {{2, 2, 28, 28}}, 1},
           AdainCase{{1, 2, 4, 4}, flat, {{1, 2, 48, 56}}, 1},    // the style has more threads
           AdainCase{{1, 2, 64, 72}, flat, {{1, 2, 12, 11}}, 1},  // the content has
           AdainCase{{1, 1, 128, 128}, flat, {{1, 1, 64, 64}}, 1},
           AdainCase{{1, 1, 7, 9}, flat, {{1, 1, 128, 128}}, 1},
           AdainCase{{1, 1, 4, 4}, flat, {{1, 1, 129, 128}}, 4},  // in several launches
           AdainCase{{1, 1, 129, 128}, flat, {{1, 1, 24, 24}}, 4},
           AdainCase{{1, 3, 24, 24}, flat, {{1, 3, 25, 25}, last}, 3},
           AdainCase{{2, 35, 5, 7}, last, {{2, 35, 40, 40}}, 3}  //
       }) {
    SCOPED_TRACE(to_string(of.content) + " " + to_string(of.style.shape));
    expect_same_by_statistics<TypeParam, TypeParam>(of);
  }
}

TEST(AdainStyle, OfAnotherTypeIsThatOfItsStatistics) {
  expect_same_by_statistics<float, bfloat16>({{2, 3, 40, 48}, flat, {{2, 3, 30, 30}}, 3});
}

TEST(AdainStyle, OfAnotherType) {
  const AdainCase of{{2, 3, 4, 12}, flat, {{2, 3, 4, 4}}, 3};
  check_operation([&](Context& context) { return adain<float, bfloat16>(context, of); });
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
