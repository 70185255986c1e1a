// What the OpCases can't see of CPU convolution: bits that must not depend on threads,
// batch or vector width, and which algorithm ran.

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <ostream>
#include <span>
#include <vector>

#include "kernels/cpu/conv_1x1.h"
#include "kernels/cpu/features.h"
#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_kernels.h"
#include "kernels/parallel.h"
#include "kernels/runtime.h"
#include "kernels/table.h"
#include "tests/kernels/view_of.h"
#include "tests/largest_difference.h"

namespace gestalt {
namespace {

using tests::view_of;

template <class T = float>
std::vector<T> values(int64_t count, double phase) {
  std::vector<T> result(count);
  for (int64_t i = 0; i < count; ++i) {
    result[i] = static_cast<float>(std::sin(phase + 1.7 * static_cast<double>(i)));
  }
  return result;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct Layer {
  int64_t batch, inputs, outputs, height, width, kernel, stride;
  int64_t padding = 1, groups = 1, dilation = 1;

  int64_t out(int64_t size) const {
    return (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  }
  Conv2dDesc desc() const {
    return {.stride = {stride, stride},
            .padding = {padding, padding},
            .dilation = {dilation, dilation},
            .groups = groups};
  }
};

std::ostream& operator<<(std::ostream& out, const Layer& l) {
  return out << l.batch << "x" << l.inputs << "x" << l.height << "x" << l.width << " to "
             << l.outputs << ", " << l.kernel << "x" << l.kernel << ", stride " << l.stride
             << ", padding " << l.padding << ", groups " << l.groups << ", dilation " << l.dilation;
}

// Forward, then all gradients, one after the other in one buffer.
template <class T = float>
std::vector<T> run(const Layer& layer, bool exact = false, Activation activation = {},
                   Format format = {}) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  context->set_exact(exact);
  const int64_t n = layer.batch, c = layer.inputs, o = layer.outputs, k = layer.kernel;
  const int64_t h = layer.height, w = layer.width, group = c / layer.groups;
  const int64_t oh = layer.out(h), ow = layer.out(w);
  std::vector<T> x = values<T>(n * c * h * w, 0.1), bias = values<T>(o, 0.3);
  std::vector<T> weight = values<T>(o * group * k * k, 0.2);
  std::vector<T> all(n * o * oh * ow + n * c * h * w + o * group * k * k + o);
  const View y = view_of(all, {n, o, oh, ow}, format);
  const View dx = view_of(all, {n, c, h, w}, format, y.numel());
  const View dw = view_of(all, {o, group, k, k}, format, y.numel() + dx.numel());
  const View db = view_of(all, {o}, Format::contiguous, y.numel() + dx.numel() + dw.numel());
  const View x_view = view_of(x, {n, c, h, w}, format);
  const View w_view = view_of(weight, {o, group, k, k}, format);
  const View b_view = view_of(bias, {o});
  Conv2dDesc desc = layer.desc();
  desc.activation = activation;
  const KernelTable& kernels = context->kernels();
  kernels.conv2d_forward(*context, x_view, w_view, &b_view, y, desc);
  kernels.conv2d_backward_data(*context, y, w_view, dx, desc);
  kernels.conv2d_backward_weights(*context, y, x_view, dw, desc);
  kernels.sum_channels(*context, y, db);
  return all;
}

// Few and many tiles of Winograd of either kernel, strided, 1x1 with padding and without.
const Layer layers[] = {{2, 20, 33, 13, 18, 3, 1},    {1, 12, 20, 96, 100, 3, 1},
                        {2, 20, 33, 13, 18, 5, 1, 2}, {1, 12, 20, 96, 100, 5, 1, 3},
                        {2, 16, 24, 21, 19, 4, 2},    {3, 16, 24, 17, 9, 1, 1},
                        {3, 16, 25, 17, 9, 1, 1, 0}};

// What oneDNN's own threads would sum in another order from some number of them on, and what is cut
// into pieces: by rows, by channels, with a rest of either, in groups, with rows that no output
// sees.
const Layer direct_layers[] = {{1, 512, 512, 8, 8, 3, 1},           {1, 512, 512, 7, 7, 3, 1},
                               {1, 512, 1, 8, 8, 4, 1, 0},          {2, 16, 24, 21, 19, 4, 2},
                               {1, 3, 64, 112, 64, 7, 2, 3},        {1, 3, 64, 125, 90, 11, 4, 2},
                               {2, 200, 328, 9, 10, 3, 2},          {1, 32, 64, 121, 90, 2, 3, 1},
                               {1, 64, 128, 40, 40, 3, 1, 2, 4, 2}, {1, 1280, 320, 8, 8, 1, 1, 0},
                               {2, 30, 205, 9, 15, 1, 1, 0}};

// The largest difference of elements first to first + count, in units of the largest expected one.
double relative_error(const std::vector<float>& result, const std::vector<double>& expected,
                      int64_t first, int64_t count) {
  const auto part = std::span(expected).subspan(first, count);
  double scale = 0;
  for (double value : part) scale = std::max(scale, std::abs(value));
  return tests::largest_difference(std::span(result).subspan(first, count), part) / scale;
}

class Conv2d : public testing::Test {
 protected:
  ~Conv2d() override { set_num_threads(before_); }

 private:
  int before_ = num_threads();
};

TEST_F(Conv2d, SameBitsForAnyThreadCount) {
  for (const Layer& layer : layers) {
    for (bool exact : {false, true}) {
      set_num_threads(1);
      const std::vector<float> expected = run(layer, exact);
      for (int threads : {2, 3, 5}) {
        set_num_threads(threads);
        EXPECT_TRUE(same_bits(run(layer, exact), expected)) << layer << "; " << threads;
      }
    }
  }
}

TEST_F(Conv2d, DirectConvolutionGivesTheSameBitsForAnyThreadCount) {
  for (const Layer& layer : direct_layers) {
    for (Format format : {Format::contiguous, Format::channels_last}) {
      set_num_threads(1);
      const std::vector<float> expected = run(layer, true, {}, format);
      for (int threads : {2, 3, 7, 8, 12, 16, 32}) {
        set_num_threads(threads);
        EXPECT_TRUE(same_bits(run(layer, true, {}, format), expected))
            << layer << ", " << to_string(format) << "; " << threads;
      }
    }
  }
}

// Every piece has its rows, its padding and its channels: f64 goes through plain loops, uncut.
TEST_F(Conv2d, DirectConvolutionIsThatOfPlainLoops) {
  for (const Layer& layer : std::span(direct_layers).subspan(3)) {
    for (Format format : {Format::contiguous, Format::channels_last}) {
      const std::vector<float> result = run(layer, true, {}, format);
      const std::vector<double> expected = run<double>(layer, true, {}, format);
      EXPECT_LT(relative_error(result, expected, 0, std::ssize(result)), 1e-5)
          << layer << ", " << to_string(format);
    }
  }
}

TEST_F(Conv2d, DirectConvolutionOfABatchGivesTheBitsOfOneAlone) {
  for (Layer layer : direct_layers) {
    const int64_t size = layer.outputs * layer.out(layer.height) * layer.out(layer.width);
    layer.batch = 1;
    const std::vector<float> one = run(layer, true);
    layer.batch = 5;
    const std::vector<float> five = run(layer, true);
    EXPECT_EQ(std::memcmp(one.data(), five.data(), size * sizeof(float)), 0) << layer;
    EXPECT_EQ(std::memcmp(one.data() + size, five.data() + 5 * size,
                          layer.inputs * layer.height * layer.width * sizeof(float)),
              0)
        << layer << ", data gradient";
  }
}

// One image has 182 tiles, three have 546: not the same path, so the comparison says something.
TEST_F(Conv2d, ImagesOfABatchGiveTheBitsOfOneAlone) {
  for (int64_t kernel : {3, 5}) {
    Layer layer{1, 12, 20, 53, 52, kernel, 1, kernel / 2};
    const int64_t size = layer.outputs * layer.height * layer.width;
    const std::vector<float> one = run(layer);
    layer.batch = 3;
    const std::vector<float> three = run(layer);
    EXPECT_EQ(std::memcmp(one.data(), three.data(), size * sizeof(float)), 0) << layer;
  }
}

// Seven images fill vectors of Winograd together that one alone leaves half empty.
TEST_F(Conv2d, NarrowImagesOfABatchGiveTheBitsOfOneAlone) {
  for (int64_t width = 4; width <= 40; ++width) {
    const int64_t kernel = width % 2 == 0 ? 3 : 5;
    Layer layer{1, 8, 9, 9, width, kernel, 1, kernel / 2};
    const int64_t size = layer.outputs * layer.height * layer.width;
    const std::vector<float> one = run(layer);
    layer.batch = 7;
    const std::vector<float> seven = run(layer);
    EXPECT_EQ(std::memcmp(one.data(), seven.data(), size * sizeof(float)), 0) << layer;
  }
}

// More images than go through oneDNN's copies at once, and a rest.
TEST_F(Conv2d, ManyLargeImagesGiveTheBitsOfOneAlone) {
  const Layer layer{7, 3, 32, 301, 302, 5, 2};  // 17 MB of copies
  const int64_t size = layer.outputs * 150 * 150;
  const std::vector<float> many = run(layer);
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  std::vector<float> x = values(layer.batch * 3 * 301 * 302, 0.1);
  std::vector<float> weight = values(32 * 3 * 25, 0.2), bias = values(32, 0.3), y(size);
  const View b = view_of(bias, {32});
  for (int64_t image = 0; image < layer.batch; ++image) {
    context->kernels().conv2d_forward(
        *context, view_of(x, {1, 3, 301, 302}, Format::contiguous, image * 3 * 301 * 302),
        view_of(weight, {32, 3, 5, 5}), &b, view_of(y, {1, 32, 150, 150}),
        {.stride = {2, 2}, .padding = {1, 1}});
    EXPECT_EQ(std::memcmp(y.data(), many.data() + image * size, size * sizeof(float)), 0) << image;
  }
}

TEST_F(Conv2d, ExactForbidsWinograd) {
  for (const Layer& layer : std::span(layers).first(4)) {
    EXPECT_FALSE(same_bits(run(layer, true), run(layer, false))) << layer;
  }
}

TEST_F(Conv2d, FusedReluIsReluOfTheSameBits) {
  for (const Layer& layer : layers) {
    const std::vector<float> plain = run(layer), fused = run(layer, false, Activation::relu);
    const int64_t pixels = layer.out(layer.height) * layer.out(layer.width);
    for (int64_t i = 0; i < layer.batch * layer.outputs * pixels; ++i) {
      ASSERT_EQ(fused[i], std::max(plain[i], 0.0f)) << i;
    }
  }
}

// Winograd by the inner loops given, with a bias, and with ReLU where the outputs are even. Around
// the images stands NaN, which must not be read, and around the outputs what must not be changed.
[[maybe_unused]] std::vector<float> winograd(const Layer& layer,
                                             const cpu::winograd::Kernels& kernels) {
  constexpr int64_t guard = 64;
  constexpr float untouched = 12345;
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  const int64_t n = layer.batch, c = layer.inputs, o = layer.outputs;
  const int64_t outputs = n * o * layer.out(layer.height) * layer.out(layer.width);
  std::vector<float> x = values(n * c * layer.height * layer.width, 0.1);
  x.insert(x.begin(), guard, NAN);
  x.insert(x.end(), guard, NAN);
  const std::vector<float> weight = values(o * c * layer.kernel * layer.kernel, 0.2);
  const std::vector<float> bias = values(o, 0.3);
  std::vector<float> y(guard + outputs + guard, untouched);
  cpu::winograd_conv(*context,
                     {.x = x.data() + guard,
                      .y = y.data() + guard,
                      .batch = n,
                      .inputs = c,
                      .outputs = o,
                      .height = layer.height,
                      .width = layer.width,
                      .padding_h = layer.padding,
                      .padding_w = layer.padding,
                      .kernel = layer.kernel,
                      .w = weight.data(),
                      .output_stride = c * layer.kernel * layer.kernel,
                      .input_stride = layer.kernel * layer.kernel,
                      .bias = bias.data(),
                      .relu = o % 2 == 0},
                     kernels);
  for (int64_t i = 0; i < guard; ++i) {
    EXPECT_EQ(y[i], untouched) << layer << ", before the outputs";
    EXPECT_EQ(y[guard + outputs + i], untouched) << layer << ", after the outputs";
  }
  return {y.begin() + guard, y.end() - guard};
}

TEST_F(Conv2d, VectorWidthChangesNoBit) {
  if (!cpu::has_avx512()) GTEST_SKIP() << "no AVX-512 on this processor";
#if defined(__AVX2__)
  for (const Layer& layer : {layers[0], layers[1], layers[2], layers[3],
                             Layer{1, 1030, 17, 9, 30, 3, 1}, Layer{1, 1030, 17, 9, 30, 5, 1, 2}}) {
    EXPECT_TRUE(same_bits(winograd(layer, cpu::winograd::avx2_kernels(layer.kernel)),
                          winograd(layer, cpu::winograd::avx512_kernels(layer.kernel))))
        << layer;
  }
#endif
}

// Rows of 2, 4 or 8 tiles share a vector of AVX-512, of one image or several: AVX2 takes each row
// by itself. Of 1 to 15 images blocks and vectors end in rests; last rows and columns are cut off.
TEST_F(Conv2d, NarrowImagesGiveTheBitsOfRowsAlone) {
  if (!cpu::has_avx512()) GTEST_SKIP() << "no AVX-512 on this processor";
#if defined(__AVX2__)
  for (int64_t width = 3; width <= 40; ++width) {
    for (int64_t height : {4, 9, 14}) {
      for (int64_t batch : {1, 2, 15}) {
        for (const auto& [kernel, padding] :
             std::vector<std::pair<int64_t, int64_t>>{{3, 0}, {3, 1}, {3, 2}, {5, 2}, {5, 4}}) {
          const Layer layer{batch, 3, batch + 1, height, width, kernel, 1, padding};
          ASSERT_TRUE(same_bits(winograd(layer, cpu::winograd::avx2_kernels(layer.kernel)),
                                winograd(layer, cpu::winograd::avx512_kernels(layer.kernel))))
              << layer;
        }
      }
    }
  }
#endif
}

// Against f64, which goes through plain loops; and with more channels than are summed in one turn.
TEST_F(Conv2d, WinogradOfNarrowImagesIsThatOfPlainLoops) {
  std::vector<Layer> narrow = {{2, 1030, 9, 7, 13, 3, 1}, {2, 1030, 9, 8, 13, 5, 1, 2}};
  for (int64_t width = 1; width <= 40; ++width) {
    narrow.push_back({3, 9, 10, 7, width, 3, 1});
    narrow.push_back({3, 9, 10, 9, width, 5, 1, 2});
  }
  for (const Layer& layer : narrow) {
    const std::vector<float> result = run(layer);
    const std::vector<double> expected = run<double>(layer, true);
    const int64_t outputs = layer.batch * layer.outputs * layer.height * layer.width;
    const int64_t inputs = layer.batch * layer.inputs * layer.height * layer.width;
    for (const auto& [first, count] : {std::pair(int64_t{0}, outputs), {outputs, inputs}}) {
      EXPECT_LT(relative_error(result, expected, first, count), 1e-4)
          << layer << (first > 0 ? ", data gradient" : "");
    }
  }
}

TEST_F(Conv2d, NaNReachesItsNeighbourhoodThroughRelu) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  std::vector<float> x(8 * 8 * 8), w(8 * 8 * 9, 1.0f), y(8 * 8 * 8);
  x[3 * 8 + 3] = NAN;
  context->kernels().conv2d_forward(*context, view_of(x, {1, 8, 8, 8}), view_of(w, {8, 8, 3, 3}),
                                    nullptr, view_of(y, {1, 8, 8, 8}),
                                    {.padding = {1, 1}, .activation = Activation::relu});
  EXPECT_TRUE(std::isnan(y[3 * 8 + 3]));
}

// Vectors and tiles with and without rests, and too few pixels for the kernel. The gradient to the
// data has inputs and outputs changed over.
TEST_F(Conv2d, Of1x1IsThatOfPlainLoops) {
  std::vector<Layer> pointwise = {{2, 600, 130, 20, 20, 1, 1, 0}, {1, 1, 1, 19, 21, 1, 1, 0},
                                  {3, 3, 130, 8, 31, 1, 1, 0},    {1, 130, 3, 11, 13, 1, 1, 0},
                                  {3, 599, 31, 7, 7, 1, 1, 0},    {1, 400, 390, 4, 5, 1, 1, 0}};
  for (int64_t pixels : {1, 15, 16, 17, 32, 33, 47, 48, 49, 63, 64, 65, 81, 113, 397}) {
    for (int64_t channels = 1; channels <= 27; ++channels) {
      pointwise.push_back({channels % 3 + 1, 28 - channels, channels, 1, pixels, 1, 1, 0});
    }
  }
  for (const Layer& layer : pointwise) {
    const std::vector<float> result = run(layer);
    const std::vector<double> expected = run<double>(layer);
    const int64_t outputs = layer.batch * layer.outputs * layer.height * layer.width;
    const int64_t inputs = layer.batch * layer.inputs * layer.height * layer.width;
    EXPECT_LT(relative_error(result, expected, 0, outputs), 5e-6) << layer;
    EXPECT_LT(relative_error(result, expected, outputs, inputs), 5e-6)
        << layer << ", data gradient";
  }
}

// So that its bits depend on nothing else. Beside the outputs stands what must not be changed.
TEST_F(Conv2d, Of1x1IsOneSumInTheOrderOfTheChannels) {
  if (!cpu::conv_1x1_available()) GTEST_SKIP() << "no AVX-512 on this processor";
  const int64_t batch = 2, inputs = 37, outputs = 209, guard = 64;
  constexpr float untouched = 12345;
  const std::vector<float> w = values(outputs * inputs, 0.2), bias = values(outputs, 0.3);
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  for (int threads : {1, 3}) {
    set_num_threads(threads);
    for (int64_t pixels : {1, 16, 31, 48, 64, 100, 193}) {
      const std::vector<float> x = values(batch * inputs * pixels, 0.1);
      const int64_t size = outputs * pixels;
      std::vector<float> y(guard + batch * size + guard, untouched), expected = y;
      cpu::conv_1x1(*context, {.x = x.data(),
                               .y = y.data() + guard,
                               .batch = batch,
                               .inputs = inputs,
                               .outputs = outputs,
                               .pixels = pixels,
                               .w = w.data(),
                               .output_stride = inputs,
                               .input_stride = 1,
                               .bias = bias.data()});
      for (int64_t i = 0; i < batch * size; ++i) {
        const int64_t image = i / size, o = i % size / pixels, pixel = i % pixels;
        float sum = bias[o];
        for (int64_t c = 0; c < inputs; ++c) {
          sum = std::fma(w[o * inputs + c], x[(image * inputs + c) * pixels + pixel], sum);
        }
        expected[guard + i] = sum;
      }
      EXPECT_TRUE(same_bits(y, expected)) << pixels << " pixels; " << threads;
    }
  }
}

TEST_F(Conv2d, Of1x1KeepsNaNToItsPixelThroughRelu) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  std::vector<float> x(8 * 9 * 9, -1.0f), w(7 * 8, 1.0f), y(7 * 9 * 9);
  constexpr int64_t pixel = 3 * 9 + 3;
  x[2 * 81 + pixel] = NAN;
  context->kernels().conv2d_forward(*context, view_of(x, {1, 8, 9, 9}), view_of(w, {7, 8, 1, 1}),
                                    nullptr, view_of(y, {1, 7, 9, 9}),
                                    {.activation = Activation::relu});
  for (int64_t i = 0; i < std::ssize(y); ++i) {
    if (i % 81 == pixel) {
      EXPECT_TRUE(std::isnan(y[i])) << i;
    } else {
      EXPECT_EQ(y[i], 0) << i;
    }
  }
}

}  // namespace
}  // namespace gestalt
