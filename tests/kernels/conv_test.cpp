// What the OpCases can't see of CPU convolution and products: bits that must not depend on threads,
// batch or vector width, and which algorithm ran.

#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

#include "kernels/cpu/features.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_kernels.h"
#include "kernels/runtime.h"
#include "kernels/table.h"

namespace gestalt {
namespace {

std::vector<float> values(int64_t count, double phase) {
  std::vector<float> result(count);
  for (int64_t i = 0; i < count; ++i) {
    result[i] = static_cast<float>(std::sin(phase + 1.7 * static_cast<double>(i)));
  }
  return result;
}

View view(std::vector<float>& data, const Shape& shape, int64_t offset = 0) {
  return {data.data() + offset, DType::f32, {}, shape, strides_of(shape, Format::contiguous)};
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

struct Layer {
  int64_t batch, inputs, outputs, height, width, kernel, stride;
};

// Forward, then all gradients, one after the other in one buffer.
std::vector<float> run(const Layer& layer, bool exact = false, Activation activation = {}) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  context->set_exact(exact);
  const auto [n, c, o, h, w, k, s] = layer;
  const int64_t oh = (h + 2 - k) / s + 1, ow = (w + 2 - k) / s + 1;
  std::vector<float> x = values(n * c * h * w, 0.1), weight = values(o * c * k * k, 0.2);
  std::vector<float> bias = values(o, 0.3);
  std::vector<float> all(n * o * oh * ow + n * c * h * w + o * c * k * k + o);
  const View y = view(all, {n, o, oh, ow});
  const View dx = view(all, {n, c, h, w}, y.numel());
  const View dw = view(all, {o, c, k, k}, y.numel() + dx.numel());
  const View db = view(all, {o}, y.numel() + dx.numel() + dw.numel());
  const View x_view = view(x, {n, c, h, w}), w_view = view(weight, {o, c, k, k});
  const View b_view = view(bias, {o});
  const Conv2dDesc desc{.stride = {s, s}, .padding = {1, 1}, .activation = activation};
  const KernelTable& kernels = context->kernels();
  kernels.conv2d_forward(*context, x_view, w_view, &b_view, y, desc);
  kernels.conv2d_backward_data(*context, y, w_view, dx, desc);
  kernels.conv2d_backward_weights(*context, y, x_view, dw, desc);
  kernels.conv2d_backward_bias(*context, y, db);
  return all;
}

// Few and many tiles of Winograd, strided, 1x1.
const Layer layers[] = {{2, 20, 33, 13, 18, 3, 1},
                        {1, 12, 20, 96, 100, 3, 1},
                        {2, 16, 24, 21, 19, 4, 2},
                        {3, 16, 24, 17, 9, 1, 1}};

class Conv2d : public testing::Test {
 protected:
  ~Conv2d() override { set_num_threads(before_); }

 private:
  int before_ = num_threads();
};

using Matmul = Conv2d;

TEST_F(Conv2d, SameBitsForAnyThreadCount) {
  for (const Layer& layer : layers) {
    for (bool exact : {false, true}) {
      set_num_threads(1);
      const std::vector<float> expected = run(layer, exact);
      for (int threads : {2, 3, 5}) {
        set_num_threads(threads);
        EXPECT_TRUE(same_bits(run(layer, exact), expected))
            << layer.kernel << "x" << layer.kernel << ", " << threads << " threads";
      }
    }
  }
}

// One image has 182 tiles, three have 546: not the same path, so the comparison says something.
TEST_F(Conv2d, ImagesOfABatchGiveTheBitsOfOneAlone) {
  Layer layer{1, 12, 20, 53, 52, 3, 1};
  const int64_t size = layer.outputs * layer.height * layer.width;
  const std::vector<float> one = run(layer);
  layer.batch = 3;
  const std::vector<float> three = run(layer);
  EXPECT_EQ(std::memcmp(one.data(), three.data(), size * sizeof(float)), 0);
}

// More images than go through oneDNN's copies at once, and a rest.
TEST_F(Conv2d, ManyLargeImagesGiveTheBitsOfOneAlone) {
  const Layer layer{7, 3, 32, 301, 302, 5, 2};  // 17 MB of copies
  const int64_t size = layer.outputs * 150 * 150;
  const std::vector<float> many = run(layer);
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  std::vector<float> x = values(layer.batch * 3 * 301 * 302, 0.1);
  std::vector<float> weight = values(32 * 3 * 25, 0.2), bias = values(32, 0.3), y(size);
  const View b = view(bias, {32});
  for (int64_t image = 0; image < layer.batch; ++image) {
    context->kernels().conv2d_forward(*context, view(x, {1, 3, 301, 302}, image * 3 * 301 * 302),
                                      view(weight, {32, 3, 5, 5}), &b, view(y, {1, 32, 150, 150}),
                                      {.stride = {2, 2}, .padding = {1, 1}});
    EXPECT_EQ(std::memcmp(y.data(), many.data() + image * size, size * sizeof(float)), 0) << image;
  }
}

TEST_F(Conv2d, ExactForbidsWinograd) {
  EXPECT_FALSE(same_bits(run(layers[0], true), run(layers[0], false)));
}

TEST_F(Conv2d, FusedReluIsReluOfTheSameBits) {
  for (const Layer& layer : layers) {
    const std::vector<float> plain = run(layer), fused = run(layer, false, Activation::relu);
    const int64_t oh = (layer.height + 2 - layer.kernel) / layer.stride + 1;
    const int64_t ow = (layer.width + 2 - layer.kernel) / layer.stride + 1;
    for (int64_t i = 0; i < layer.batch * layer.outputs * oh * ow; ++i) {
      ASSERT_EQ(fused[i], std::max(plain[i], 0.0f)) << i;
    }
  }
}

TEST_F(Conv2d, VectorWidthChangesNoBit) {
  if (!cpu::has_avx512()) GTEST_SKIP() << "no AVX-512 on this processor";
  for (const Layer& layer : {layers[0], layers[1]}) {
    const auto [n, c, o, h, w, k, s] = layer;
    std::vector<float> x = values(n * c * h * w, 0.1), weight = values(o * c * 9, 0.2);
    std::vector<float> y[2];
    int count = 0;
    for (const auto* kernels : {&cpu::winograd::avx2_kernels, &cpu::winograd::avx512_kernels}) {
      const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
      std::vector<float>& out = y[count++];
      out.resize(n * o * h * w);
      cpu::winograd_conv(*context,
                         {.x = x.data(),
                          .y = out.data(),
                          .batch = n,
                          .inputs = c,
                          .outputs = o,
                          .height = h,
                          .width = w,
                          .padding_h = 1,
                          .padding_w = 1,
                          .w = weight.data(),
                          .output_stride = c * 9,
                          .input_stride = 9},
                         *kernels);
    }
    EXPECT_TRUE(same_bits(y[0], y[1]));
  }
}

TEST_F(Conv2d, NaNReachesItsNeighbourhoodThroughRelu) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  std::vector<float> x(8 * 8 * 8), w(8 * 8 * 9, 1.0f), y(8 * 8 * 8);
  x[3 * 8 + 3] = NAN;
  context->kernels().conv2d_forward(*context, view(x, {1, 8, 8, 8}), view(w, {8, 8, 3, 3}), nullptr,
                                    view(y, {1, 8, 8, 8}),
                                    {.padding = {1, 1}, .activation = Activation::relu});
  EXPECT_TRUE(std::isnan(y[3 * 8 + 3]));
}

TEST_F(Matmul, SameBitsForAnyThreadCount) {
  struct Product {
    int64_t batch, m, n, k;
  };
  for (const auto& [batch, m, n, k] :
       {Product{1, 37, 41, 5000}, {1, 300, 500, 700}, {1, 1, 1000, 3000}, {7, 33, 65, 129}}) {
    std::vector<float> a = values(batch * m * k, 0.1), b = values(batch * k * n, 0.2), expected;
    for (int threads : {1, 2, 3, 5}) {
      set_num_threads(threads);
      const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
      std::vector<float> y(batch * m * n);
      context->kernels().matmul(*context, view(a, {batch, m, k}), view(b, {batch, k, n}), 1, 0,
                                view(y, {batch, m, n}));
      if (threads == 1) expected = y;
      EXPECT_TRUE(same_bits(y, expected)) << m << "x" << n << "x" << k << ", " << threads;
    }
  }
}

}  // namespace
}  // namespace gestalt
