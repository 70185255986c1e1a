#include "data/coral.h"

#include <cmath>
#include <gtest/gtest.h>

#include "tensor/random.h"
#include "tests/data/folders.h"

namespace gestalt::data {
namespace {

// Correlated channels of different levels.
Tensor colored_noise(int64_t size, uint64_t seed, float mix, float level) {
  Generator generator(seed);
  Tensor image = generator.normal({1, 3, size, size}, 0, 0.1, {.device = Device{}});
  float* data = image.data<float>();
  const int64_t pixels = size * size;
  for (int64_t i = 0; i < pixels; ++i) {
    data[pixels + i] = mix * data[i] + (1 - mix) * data[pixels + i] + level;
    data[2 * pixels + i] -= 0.5f * mix * data[i];
  }
  return image;
}

struct Statistics {
  double mean[3], covariance[3][3];
};

Statistics statistics_of(const Tensor& image) {
  const int64_t pixels = image.numel() / 3;
  const float* data = image.data<float>();
  Statistics s{};
  for (int c = 0; c < 3; ++c) {
    for (int64_t i = 0; i < pixels; ++i) s.mean[c] += data[c * pixels + i] / pixels;
  }
  for (int a = 0; a < 3; ++a) {
    for (int b = 0; b < 3; ++b) {
      for (int64_t i = 0; i < pixels; ++i) {
        s.covariance[a][b] +=
            (data[a * pixels + i] - s.mean[a]) * (data[b * pixels + i] - s.mean[b]) / (pixels - 1);
      }
    }
  }
  return s;
}

TEST(MatchColors, GivesTheTargetsMeansAndCovariances) {
  const Tensor source = colored_noise(40, 1, 0.2f, 0.3f), target = colored_noise(64, 2, 0.8f, 0.6f);
  const Statistics expected = statistics_of(target);
  const Statistics found = statistics_of(match_colors(source, target));
  for (int a = 0; a < 3; ++a) {
    EXPECT_NEAR(found.mean[a], expected.mean[a], 1e-6);
    // The added identity leaves about a pixel's worth of difference.
    for (int b = 0; b < 3; ++b)
      EXPECT_NEAR(found.covariance[a][b], expected.covariance[a][b], 2e-5);
  }
}

TEST(MatchColors, ItselfStaysItself) {
  const Tensor image = colored_noise(20, 3, 0.5f, 0.5f);
  const std::vector<float> expected = image.to_vector<float>();
  const std::vector<float> found = match_colors(image, image).to_vector<float>();
  for (size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-6);
}

// What pytorch-AdaIN's coral() gives, in f64, for source x[c, i] = sin(1 + c + 2 i + c i) and
// target cos(c + i * i / 3 + c i / 2), 6 pixels each.
TEST(MatchColors, GivesThePublishedValues) {
  std::vector<float> source, target;
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 6; ++i) {
      source.push_back(static_cast<float>(std::sin(1.0 + c + 2 * i + c * i)));
      target.push_back(static_cast<float>(std::cos(c + i * i / 3.0 + c * i / 2.0)));
    }
  }
  const std::vector<float> expected = {
      0.9480448f,  0.1162243f,  -0.6862406f, 0.8735193f,  0.2997104f,  -0.2404566f,
      0.4293498f,  -0.6179624f, 0.9696035f,  -0.7827653f, 0.5975600f,  -0.3060776f,
      -0.4768998f, 0.5265368f,  -0.9253831f, 0.2551610f,  -0.2478878f, -0.6923140f};
  const auto tensor = [](const std::vector<float>& values) {
    return Tensor::from_vector(values, {1, 3, 2, 3}, {.device = Device{}});
  };
  const std::vector<float> found = match_colors(tensor(source), tensor(target)).to_vector<float>();
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-6) << i;
}

TEST(MatchColors, SaysWhatItExpects) {
  const Tensor image = colored_noise(20, 3, 0.5f, 0.5f);
  EXPECT_EQ(error_of([&] {
              match_colors(image, Tensor::zeros({1, 3, 4, 4}, {.device = Device{},
                                                               .format = Format::channels_last}));
            }),
            "[match_colors] expected the target as f32 [1,3,H,W], contiguous, on the CPU, got "
            "f32[1,3,4,4] with strides [48,1,12,3] on cpu");
  EXPECT_EQ(error_of([&] {
              match_colors(Tensor::ones({1, 3, 1, 1}, {.device = Device{}}), image);
            }),
            "[match_colors] expected the source to have two pixels or more, got f32[1,3,1,1]");
}

TEST(MatchColors, RejectsConstantChannels) {
  const Tensor image = colored_noise(20, 3, 0.5f, 0.5f);
  EXPECT_PRED_FORMAT2(::testing::IsSubstring, "channel 0 of the source is constant", error_of([&] {
                        match_colors(Tensor::zeros({1, 3, 4, 4}, {.device = Device{}}), image);
                      }));
}

}  // namespace
}  // namespace gestalt::data
