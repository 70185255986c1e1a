// A step of the training of AdaIN's decoder.

#include <cmath>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/error.h"
#include "models/adain.h"
#include "models/adain_loss.h"
#include "optim/adam.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"
#include "tests/cuda_device.h"
#include "tools/stylize/step.h"

namespace gestalt::tools {
namespace {

constexpr int64_t side = 16;

struct Training {
  Training(Device device, const StylizerStepOptions& options, double learning_rate = 1e-3) {
    Generator random(3);
    encoder = models::make_adain_encoder(random);
    models::init_untrained_encoder(*encoder, random);
    encoder->set_requires_grad(false);
    encoder->eval();
    decoder = models::make_adain_decoder(random);
    models::init_adain_decoder(*decoder, random);
    for (nn::Sequential* network : {encoder.get(), decoder.get()}) network->to(device);
    optimizer = std::make_unique<optim::Adam>(decoder->parameters(),
                                              optim::AdamOptions{.learning_rate = learning_rate});
    step.emplace(*encoder, *decoder, *optimizer, options);
  }

  static std::vector<std::vector<float>> values(const nn::Module& network) {
    std::vector<std::vector<float>> result;
    for (const NamedTensor& entry : network.state_dict()) {
      result.push_back(entry.tensor.to_vector<float>());
    }
    return result;
  }

  std::shared_ptr<nn::Sequential> encoder, decoder;
  std::unique_ptr<optim::Adam> optimizer;
  std::optional<StylizerStep> step;
};

Tensor pictures(Device device, uint64_t seed, int64_t count) {
  return Generator(seed).uniform({count, 3, side, side}, 0, 1, {.device = device});
}

// In exact mode: TF32, CUDA's default, has 10 bits.
class StylizerStepOn : public testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    device_.type = GetParam();
    GESTALT_NEEDS_DEVICE(device_);
    exact_.emplace(device_, true);
  }

  Device device_;
  std::optional<ExactGuard> exact_;
};

TEST_P(StylizerStepOn, ReturnsTheLossesOfBeforeAndMovesTheDecoderAlone) {
  const StylizerStepOptions options{
      .content_weight = 2, .style_weight = 5, .reconstruction_weight = 30};
  Training training(device_, options);
  const Tensor content = pictures(device_, 1, 2), style = pictures(device_, 2, 2);
  std::vector<double> expected;
  {
    const NoGradGuard no_grad;
    const auto loss =
        models::stylization_loss(*training.encoder, *training.decoder, content, style);
    const double reconstruction =
        models::reconstruction_loss(*training.encoder, *training.decoder, cat({content, style}, 0))
            .item();
    expected = {2 * loss.content.item() + 5 * loss.style.item() + 30 * reconstruction,
                loss.content.item(), loss.style.item(), reconstruction};
  }
  const auto encoder = Training::values(*training.encoder);
  const auto decoder = Training::values(*training.decoder);
  const auto got = training.step->run(content, style).to_vector<double>();
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], 1e-5 * std::abs(expected[i])) << i;
  }
  EXPECT_EQ(Training::values(*training.encoder), encoder);
  const auto moved = Training::values(*training.decoder);
  for (size_t i = 0; i < moved.size(); ++i) EXPECT_NE(moved[i], decoder[i]) << i;
  for (const Tensor& parameter : training.decoder->parameters()) {
    EXPECT_FALSE(parameter.grad().defined());
  }
}

TEST_P(StylizerStepOn, IsTheSameOnTheCpu) {
  std::vector<std::vector<double>> losses;
  for (const Device device : {Device{}, device_}) {
    Training training(device, {.reconstruction_weight = 10});
    for (uint64_t i = 0; i < 2; ++i) {
      const Tensor content = pictures(Device{}, 2 * i, 2), style = pictures(Device{}, 2 * i + 1, 2);
      losses.push_back(
          training.step->run(content.to(device), style.to(device)).to_vector<double>());
    }
  }
  for (size_t step = 0; step < 2; ++step) {
    for (size_t i = 0; i < losses[step].size(); ++i) {
      EXPECT_NEAR(losses[step + 2][i], losses[step][i], 1e-3 * std::abs(losses[step][i]))
          << "loss " << i << " of step " << step;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Devices, StylizerStepOn,
                         testing::Values(DeviceType::cpu, DeviceType::cuda),
                         [](const auto& info) { return to_string(info.param); });

TEST(StylizerStep, LeavesLossesWithoutWeightOut) {
  const auto names = [](const StylizerStepOptions& options) {
    std::string result;
    for (const StylizerLoss& loss : stylizer_losses(options)) result += loss.name + " ";
    return result;
  };
  EXPECT_EQ(names({}), "content style ");
  const StylizerStepOptions style{.content_weight = 0}, reconstruction{0, 0, 4};
  EXPECT_EQ(names(style), "style ");
  EXPECT_EQ(names(reconstruction), "reconstruction ");
  const Tensor content = pictures(Device{}, 1, 1), other = pictures(Device{}, 2, 1);
  Training of_all(Device{}, {.reconstruction_weight = 4});
  const auto all = of_all.step->run(content, other).to_vector<float>();
  ASSERT_EQ(all.size(), 4u);
  Training of_style(Device{}, style), of_reconstruction(Device{}, reconstruction);
  EXPECT_EQ(of_style.step->run(content, other).to_vector<float>(),
            (std::vector<float>{10 * all[2], all[2]}));
  EXPECT_EQ(of_reconstruction.step->run(content, other).to_vector<float>(),
            (std::vector<float>{4 * all[3], all[3]}));
  EXPECT_THROW(Training(Device{}, {0, 0, 0}), Error);
}

TEST(StylizerStep, TakesTheFirstPicturesOfTheLargerBatch) {
  const Tensor three = pictures(Device{}, 1, 3), two = pictures(Device{}, 2, 2);
  for (const bool content_is_larger : {true, false}) {
    Training whole(Device{}, {}), cut(Device{}, {});
    const Tensor first = narrow(three, 0, 0, 2);
    const Tensor of_whole =
        content_is_larger ? whole.step->run(three, two) : whole.step->run(two, three);
    const Tensor of_cut = content_is_larger ? cut.step->run(first, two) : cut.step->run(two, first);
    EXPECT_EQ(of_whole.to_vector<float>(), of_cut.to_vector<float>());
    EXPECT_EQ(Training::values(*whole.decoder), Training::values(*cut.decoder));
  }
}

TEST(StylizerStep, LearnsFromItsLosses) {
  // Slow enough for losses that fall smoothly, to a quarter here: at 1e-3 they jump about, in f64,
  // too.
  Training training(Device{}, {}, 3e-5);
  const Tensor content = pictures(Device{}, 1, 1), style = pictures(Device{}, 2, 1);
  std::vector<double> losses;
  for (int i = 0; i < 15; ++i) {
    losses.push_back(training.step->run(content, style).to_vector<double>()[0]);
  }
  EXPECT_LT(losses.back(), 0.5 * losses.front());
}

}  // namespace
}  // namespace gestalt::tools
