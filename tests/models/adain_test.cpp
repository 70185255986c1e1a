#include "models/adain.h"

#include <cmath>
#include <gtest/gtest.h>
#include <optional>

#include "kernels/error.h"
#include "models/adain_loss.h"
#include "nn/loss.h"
#include "tensor/allocator.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/ops/reduce.h"
#include "tests/largest_difference.h"

namespace gestalt::models {
namespace {

// Gives one picture whatever comes.
class Constant : public nn::Module {
 public:
  explicit Constant(Tensor picture) : picture_(std::move(picture)) {}
  Tensor forward(const Tensor&) override { return picture_; }

 private:
  Tensor picture_;
};

// The networks are large for a test: one pair for all, without the fast algorithms, whose rounding
// depends on where a tile begins.
class AdainTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    Generator generator(4);
    encoder = make_adain_encoder(generator);
    decoder = make_adain_decoder(generator);
    init_untrained_encoder(*encoder, generator);
    exact.emplace(Device{}, true);
  }
  static void TearDownTestSuite() {
    exact.reset();
    encoder.reset();
    decoder.reset();
  }

  static Tensor image(int64_t height, int64_t width, uint64_t seed) {
    Generator generator(seed);
    return generator.uniform({1, 3, height, width}, 0, 1, {.device = Device{}});
  }

  static double largest_difference(const Tensor& a, const Tensor& b) {
    return tests::largest_difference(a.to_vector<float>(), b.to_vector<float>());
  }

  static inline std::shared_ptr<nn::Sequential> encoder, decoder;
  static inline std::optional<ExactGuard> exact;
};

TEST_F(AdainTest, HasTheSequentialsNames) {
  std::vector<std::string> encoder_names, decoder_names;
  for (const auto& entry : encoder->named_parameters()) encoder_names.push_back(entry.name);
  for (const auto& entry : decoder->named_parameters()) decoder_names.push_back(entry.name);
  std::vector<std::string> expected;
  for (const int i : {0, 2, 5, 9, 12, 16, 19, 22, 25, 29}) {
    expected.push_back(std::to_string(i) + ".weight");
    expected.push_back(std::to_string(i) + ".bias");
  }
  EXPECT_EQ(encoder_names, expected);
  EXPECT_EQ(encoder->children().size(), 31u);
  expected.clear();
  for (const int i : {1, 5, 8, 11, 14, 18, 21, 25, 28}) {
    expected.push_back(std::to_string(i) + ".weight");
    expected.push_back(std::to_string(i) + ".bias");
  }
  EXPECT_EQ(decoder_names, expected);
}

TEST_F(AdainTest, LeavesOutWhatComesAfterRelu41) {
  StateDict whole = encoder->state_dict();
  whole.push_back({"32.weight", Tensor::zeros({512, 512, 3, 3})});
  whole.push_back({"51.bias", Tensor::zeros({512})});
  EXPECT_TRUE(encoder->load_state_dict(adain_encoder_weights(whole)).ok());
}

TEST_F(AdainTest, UntrainedActivationsHaveMeansNearOne) {
  const NoGradGuard no_grad;
  const Tensor features = (*encoder)(image(40, 40, 1));
  EXPECT_EQ(features.shape(), (Shape{1, 512, 5, 5}));
  const double level = mean(features).item();
  EXPECT_GT(level, 0.05);  // of white noise, where it was scaled on noise like photographs
  EXPECT_LT(level, 20);
}

// Were every filter without a mean, two grey pictures would look the same.
TEST_F(AdainTest, UntrainedEncoderSeesBrightness) {
  const NoGradGuard no_grad;
  const Tensor dark = Tensor::full({1, 3, 24, 24}, 0.2), light = Tensor::full({1, 3, 24, 24}, 0.8);
  const std::vector<Tensor> a = encoder->forward_taps(dark, adain_taps);
  const std::vector<Tensor> b = encoder->forward_taps(light, adain_taps);
  for (size_t tap = 0; tap < a.size(); ++tap) {
    const double size = std::sqrt(nn::mse_loss(a[tap], Tensor::zeros(a[tap].shape())).item());
    EXPECT_GT(std::sqrt(nn::mse_loss(a[tap], b[tap]).item()), 0.3 * size) << adain_taps[tap];
  }
}

// The loss is 0 for a decoder that gives exactly what is wanted: here, one whose picture is the
// content itself, in its own style.
TEST_F(AdainTest, LossesLookAtContentAndStyleAlone) {
  const Tensor content = image(24, 24, 8), style = image(24, 24, 9);
  nn::Sequential constant;
  constant.add("0", std::make_shared<Constant>(content));
  const StylizationLoss own = stylization_loss(*encoder, constant, content, content);
  EXPECT_LT(own.content.item(), 1e-8);
  EXPECT_LT(own.style.item(), 1e-8);
  const StylizationLoss other = stylization_loss(*encoder, constant, content, style);
  EXPECT_GT(other.content.item(), 1e-3);
  EXPECT_GT(other.style.item(), 1e-3);
  EXPECT_THROW(stylization_loss(*encoder, constant, content, image(24, 16, 9)), Error);
}

TEST_F(AdainTest, ReconstructionLossIsThePixelsSquaredError) {
  // 19 and 21 are rounded up to 24, and what is beyond the image counts for nothing.
  const Tensor images = image(19, 21, 8), made = image(24, 24, 9);
  nn::Sequential constant;
  constant.add("0", std::make_shared<Constant>(made));
  const std::vector<float> a = images.to_vector<float>(), b = made.to_vector<float>();
  double sum = 0;
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < 19; ++y) {
      for (int64_t x = 0; x < 21; ++x) {
        sum += std::pow(a[(c * 19 + y) * 21 + x] - b[(c * 24 + y) * 24 + x], 2);
      }
    }
  }
  EXPECT_NEAR(reconstruction_loss(*encoder, constant, images).item(), sum / (3 * 19 * 21), 1e-6);
  EXPECT_THROW(reconstruction_loss(*encoder, constant, image(24, 8, 9)), Error);
}

TEST_F(AdainTest, TilesMakeTheWholeImage) {
  const Stylizer stylizer(encoder, decoder);
  const nn::ChannelStats style = stylizer.style(image(24, 33, 2));
  // Neither side is a multiple of 8; the first tiles are smaller than their margins together.
  const Tensor content = image(118, 77, 3);
  const Tensor whole = stylizer.stylize(content, style, 0.6);
  EXPECT_EQ(whole.shape(), content.shape());
  const double scale = largest_difference(whole, Tensor::zeros(whole.shape()));
  for (const int64_t tile : {48, 200}) {
    EXPECT_LT(largest_difference(stylizer.stylize_tiled(content, style, 0.6, tile), whole),
              1e-4 * scale)
        << tile;
  }
}

// Bytes in use at most, beyond what is in use before.
template <class Run>
double peak_of(const Run& run) {
  const size_t before = memory_stats(Device{}).in_use;
  reset_peak_memory(Device{});
  run();
  return static_cast<double>(memory_stats(Device{}).peak - before);
}

TEST_F(AdainTest, MemoryIsBoundedByTheTile) {
  const Stylizer stylizer(encoder, decoder);
  const nn::ChannelStats style = stylizer.style(image(24, 33, 2));
  const Tensor content = image(96, 304, 3);
  const double pixels = 96 * 304;
  EXPECT_LT(peak_of([&] { stylizer.stylize(content, style, 1); }), adain_bytes_per_pixel * pixels);
  // The result's 12 bytes a pixel come on top.
  const double tile_pixels = 96 * (96 + 4 * adain_margin);
  EXPECT_LT(peak_of([&] { stylizer.stylize_tiled(content, style, 1, 96); }),
            adain_bytes_per_pixel * tile_pixels + 12 * pixels);
}

TEST_F(AdainTest, AlphaGoesFromTheContentToTheStyle) {
  const NoGradGuard no_grad;
  const Stylizer stylizer(encoder, decoder);
  const Tensor content = image(32, 32, 5);
  const nn::ChannelStats style = stylizer.style(image(32, 32, 6));
  const Tensor features = (*encoder)(content);
  EXPECT_LT(largest_difference(stylizer.stylize(content, style, 0), (*decoder)(features)), 1e-4);
  EXPECT_LT(largest_difference(stylizer.stylize(content, style, 1),
                               (*decoder)(nn::adain(features, style))),
            1e-4);
}

TEST_F(AdainTest, StylesMixByTheirWeights) {
  const nn::ChannelStats a{Tensor::full({1, 2}, 1), Tensor::full({1, 2}, 2)};
  const nn::ChannelStats b{Tensor::full({1, 2}, 5), Tensor::full({1, 2}, 10)};
  const nn::ChannelStats mixed = mix_styles({a, b}, {3, 1});
  EXPECT_EQ(mixed.mean.to_vector<float>(), (std::vector<float>{2, 2}));
  EXPECT_EQ(mixed.deviation.to_vector<float>(), (std::vector<float>{4, 4}));
  EXPECT_THROW(mix_styles({a, b}, {1}), Error);
  EXPECT_THROW(mix_styles({a, b}, {0, 0}), Error);
  EXPECT_THROW(mix_styles({a, b}, {2, -1}), Error);
}

TEST_F(AdainTest, RejectsTinyImagesAndOddTiles) {
  const Stylizer stylizer(encoder, decoder);
  const nn::ChannelStats style = stylizer.style(image(16, 16, 7));
  EXPECT_THROW(stylizer.style(image(8, 16, 7)), Error);
  EXPECT_THROW(stylizer.stylize_tiled(image(16, 16, 7), style, 1, 20), Error);
}

}  // namespace
}  // namespace gestalt::models
