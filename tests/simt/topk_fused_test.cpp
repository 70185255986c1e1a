// Top-K with a prologue under the SIMT executor: the same bits as the separate kernels, on every
// path (a thread, a warp, a block, a cluster a row; many blocks a row; tiles, cached or not).

#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <random>

#include "kernels/cuda/kernels.h"
#include "kernels/runtime.h"
#include "tests/simt/executor.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

constexpr int64_t channels = 3, images = 2;

template <class T>
class FusedTopK : public testing::Test {
 protected:
  void TearDown() override { simt::set_device_properties({}); }

  static View view(T* data, int64_t length, Format format) {
    const Shape shape{images, channels, 1, length};
    return {data, dtype_of<T>, Device{}, shape, strides_of(shape, format)};
  }
  template <class U>
  static View row(std::vector<U>& data) {
    const Shape shape{static_cast<int64_t>(data.size())};
    return {data.data(), dtype_of<U>, Device{}, shape, strides_of(shape, Format::contiguous)};
  }
  static std::vector<T> values(int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<T> x;
    for (int64_t i = 0; i < count; ++i) x.push_back(T(normal(random)));
    return x;
  }

  using Op = std::function<void(const View& x, const View& y)>;

  // Fills y by fused(x, y) and by separate(x, y); both must write the same bits.
  void expect_same(int64_t length, Format format, const Op& fused, const Op& separate) {
    const int64_t numel = images * channels * length;
    std::vector<T> x = values(numel, static_cast<unsigned>(length));
    // Different, so that what nobody writes is found.
    std::vector<T> got(x.size(), T(77.0f)), expected(x.size(), T(-77.0f));
    simt::set_seed(static_cast<uint64_t>(length));
    fused(view(x.data(), length, format), view(got.data(), length, format));
    separate(view(x.data(), length, format), view(expected.data(), length, format));
    int64_t kept = 0;
    for (int64_t i = 0; i < numel; ++i) {
      ASSERT_EQ(std::memcmp(got.data() + i, expected.data() + i, sizeof(T)), 0)
          << "length " << length << " element " << i << ": " << static_cast<float>(got.data()[i])
          << ", separately " << static_cast<float>(expected.data()[i]);
      kept += static_cast<float>(got.data()[i]) != 0;
    }
    EXPECT_GT(kept, 0);
  }

  template <class F>
  static void for_each_path(const F& f) {
    for (const Format format : {Format::contiguous, Format::channels_last}) {
      for (const int64_t length : {10, 49, 300, 1100}) f(length, format);
    }
    f(40000, Format::contiguous);  // a cluster a row
    // Little shared memory, no clusters.
    simt::set_device_properties(
        {.architecture = 80, .shared_bytes = 24 * 1024, .multiprocessors = 1});
    f(20001, Format::contiguous);   // many blocks a row, some rows at a time
    f(700, Format::channels_last);  // tiles that are read again
    simt::set_device_properties({});
  }

  std::unique_ptr<Context> context_ = cpu_runtime.make_context(0);
};
using Types = testing::Types<float, bfloat16, float16>;
TYPED_TEST_SUITE(FusedTopK, Types);

TYPED_TEST(FusedTopK, BehindReluAndBias) {
  using T = TypeParam;
  Context& context = *this->context_;
  std::vector<T> bias = {T(0.3f), T(-0.2f), T(1.0f)};
  this->for_each_path([&](int64_t length, Format format) {
    for (const bool with_bias : {false, true}) {
      // Most of a channel whose bias lies above the threshold: what stands for elements past the
      // row's end must not be rectified with them.
      const TopKDesc desc{.k = std::max<int64_t>(1, with_bias ? 3 * length / 4 : length / 5),
                          .mode = with_bias ? TopKMode::keep : TopKMode::reverse};
      const View bias_view = this->row(bias);
      this->expect_same(
          length, format,
          [&](const View& x, const View& y) {
            relu_topk_forward(context, x, with_bias ? &bias_view : nullptr, y, desc);
          },
          [&](const View& x, const View& y) {
            if (with_bias) {
              View spread = bias_view;
              spread.shape = x.shape;
              spread.strides = Strides{0, bias_view.strides[0], 0, 0};
              add(context, x, spread, y);
              relu(context, y, y);
            } else {
              relu(context, x, y);
            }
            topk_forward(context, y, y, nullptr, desc);
          });
    }
  });
}

TYPED_TEST(FusedTopK, BehindBatchNorm) {
  Context& context = *this->context_;
  std::vector<float> weight = {1.5f, -0.7f, 0.2f}, shift = {0.1f, -0.3f, 0.05f};
  std::vector<float> mean = {0.2f, -0.1f, 0.0f}, variance = {1.3f, 0.8f, 1.0f};
  std::vector<float> saved_mean(channels), saved_inverse_std(channels);
  const View w = this->row(weight), b = this->row(shift), m = this->row(mean),
             v = this->row(variance), saved_m = this->row(saved_mean),
             saved_s = this->row(saved_inverse_std);
  this->for_each_path([&](int64_t length, Format format) {
    BatchNormDesc plain, ends_with_topk;
    ends_with_topk.activation = Activation::relu;
    ends_with_topk.topk = TopKDesc{.k = std::max<int64_t>(1, length / 4)};
    const auto then_topk = [&](const View& y) {
      relu(context, y, y);
      topk_forward(context, y, y, nullptr, *ends_with_topk.topk);
    };
    this->expect_same(
        length, format,
        [&](const View& x, const View& y) {
          batch_norm_inference(context, x, w, b, nullptr, m, v, y, ends_with_topk);
        },
        [&](const View& x, const View& y) {
          batch_norm_inference(context, x, w, b, nullptr, m, v, y, plain);
          then_topk(y);
        });
    this->expect_same(
        length, format,
        [&](const View& x, const View& y) {
          batch_norm_training(context, x, w, b, nullptr, nullptr, nullptr, y, saved_m, saved_s,
                              ends_with_topk);
        },
        [&](const View& x, const View& y) {
          batch_norm_training(context, x, w, b, nullptr, nullptr, nullptr, y, saved_m, saved_s,
                              plain);
          then_topk(y);
        });
  });
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
