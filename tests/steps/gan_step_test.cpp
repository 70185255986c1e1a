// A step of FastGAN's training: as it is against recorded, contiguous against channels-last, bf16
// against f32.

#include <cmath>
#include <gtest/gtest.h>
#include <tuple>
#include <vector>

#include "kernels/error.h"
#include "models/fastgan_losses.h"
#include "models/vgg.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tests/cuda_device.h"
#include "tools/fewshot/step.h"

namespace gestalt::tools {
namespace {

constexpr int64_t side = 32;

models::FastGanOptions small_options() {
  models::FastGanOptions options{.image_size = side, .latent_size = 16, .base_channels = 8};
  options.sparse = {{16, 0.25}};
  return options;
}

models::Lpips perceptual_loss() {
  Generator generator(0);
  const auto features = models::make_vgg_features(16, models::VggNorm::none, generator);
  features->eval();
  StateDict linear;
  const int64_t channels[] = {64, 128, 256, 512, 512};
  for (int64_t i = 0; i < 5; ++i) {
    linear.push_back({format("lin{}.model.1.weight", i), Tensor::ones({1, channels[i], 1, 1})});
  }
  return models::Lpips("vgg16", features, linear);
}

// Pictures that are dark on the left and bright on the right, each at a level of its own.
void fill(Tensor& batch, int64_t step) {
  std::vector<uint8_t> pixels;
  for (int64_t i = 0; i < batch.numel(); ++i) {
    const int64_t picture = i / (3 * side * side) + step;
    pixels.push_back(static_cast<uint8_t>((i % side < side / 2 ? 10 : 200) + picture * 7 % 25));
  }
  batch.copy_(Tensor::from_vector(pixels, batch.shape(), {.device = Device{}}));
}

void run(GanStep& step, int64_t number) {
  fill(step.batch(), number);
  step.run(number);
}

std::vector<std::vector<float>> state_of(const GanModel& model) {
  std::vector<std::vector<float>> state;
  for (const NamedTensor& entry : model.state_dict()) {
    state.push_back(entry.tensor.to_vector<float>());
  }
  return state;
}

// The networks are made on the default device.
class GanStepOn : public testing::Test {
 protected:
  void set_up(DeviceType type) {
    const Device device{type, 0};
    GESTALT_NEEDS_DEVICE(device);
    set_default_device(device);
  }
  void TearDown() override { set_default_device(Device{}); }
};

class GanStepIn : public GanStepOn,
                  public testing::WithParamInterface<std::tuple<DeviceType, DType, Format>> {
 protected:
  void SetUp() override { set_up(std::get<DeviceType>(GetParam())); }
};

TEST_P(GanStepIn, RecordedIsTheSameToTheBit) {
  models::FastGanOptions options = small_options();
  options.format = std::get<Format>(GetParam());
  GanModel one_by_one(options, 1, 2e-4), recorded(options, 1, 2e-4);
  GanStepOptions settings{.batch_size = 2, .seed = 1, .dtype = std::get<DType>(GetParam())};
  GanStep eager(one_by_one, perceptual_loss(), settings);
  settings.capture = true;
  GanStep graph(recorded, perceptual_loss(), settings);
  for (int64_t step = 0; step < 4; ++step) {
    const auto before = state_of(recorded);
    run(eager, step);
    run(graph, step);
    EXPECT_NE(before, state_of(recorded)) << "step " << step;
    EXPECT_EQ(state_of(one_by_one), state_of(recorded)) << "step " << step;
    EXPECT_EQ(eager.values().to_vector<float>(), graph.values().to_vector<float>());
    if (step != 1) continue;
    // A roll-back in between.
    for (GanModel* model : {&one_by_one, &recorded}) {
      models::FastGanCheckpoint checkpoint;
      checkpoint.options = model->options();
      GanModel other(options, 2, 2e-4);
      checkpoint.generator = other.generator().state_dict();
      checkpoint.discriminator = other.discriminator().state_dict();
      model->load(checkpoint);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Modes, GanStepIn,
    testing::Combine(testing::Values(DeviceType::cpu, DeviceType::cuda),
                     testing::Values(DType::f32, DType::bf16),
                     testing::Values(Format::contiguous, Format::channels_last)),
    [](const auto& info) {
      return to_string(std::get<DeviceType>(info.param)) + "_" +
             to_string(std::get<DType>(info.param)) +
             (std::get<Format>(info.param) == Format::channels_last ? "_channels_last" : "");
    });

class GanStepOf : public GanStepOn, public testing::WithParamInterface<DeviceType> {
 protected:
  void SetUp() override { set_up(GetParam()); }
};

// In exact mode: TF32, CUDA's default, rounds otherwise in each layout.
TEST_P(GanStepOf, ChannelsLastIsTheSameNetwork) {
  const ExactGuard exact(default_device(), true);
  models::FastGanOptions options = small_options();
  options.sparse = {};  // a rounding error would change which are kept
  GanModel contiguous(options, 1, 2e-4);
  options.format = Format::channels_last;
  GanModel channels_last(options, 1, 2e-4);
  GanStep a(contiguous, perceptual_loss(), {.batch_size = 2, .seed = 1});
  GanStep b(channels_last, perceptual_loss(), {.batch_size = 2, .seed = 1});
  run(a, 0);
  run(b, 0);
  const auto of_a = a.values().to_vector<double>(), of_b = b.values().to_vector<double>();
  for (size_t i = 0; i < of_a.size(); ++i) {
    EXPECT_NEAR(of_a[i], of_b[i], 1e-4 * std::abs(of_a[i])) << gan_value_names[i];
  }
  const Tensor z = Generator(1).normal({2, 16});
  const NoGradGuard no_grad;
  EXPECT_EQ(channels_last.generator().generate(z).big.format(), Format::channels_last);
}

INSTANTIATE_TEST_SUITE_P(Devices, GanStepOf, testing::Values(DeviceType::cpu, DeviceType::cuda),
                         [](const auto& info) { return to_string(info.param); });

TEST(GanStep, LearnsFromItsLosses) {
  GanModel model(small_options(), 1, 2e-4);
  const auto before = state_of(model);
  GanStep step(model, perceptual_loss(), {.batch_size = 2, .seed = 1});
  std::vector<double> reconstruction;
  for (int64_t i = 0; i < 40; ++i) {
    run(step, i);
    reconstruction.push_back(step.values().to_vector<double>()[1]);
  }
  const auto mean = [](auto begin) {
    double sum = 0;
    for (int i = 0; i < 10; ++i) sum += begin[i];
    return sum / 10;
  };
  EXPECT_LT(mean(reconstruction.end() - 10), 0.9 * mean(reconstruction.begin()));
  EXPECT_NE(before, state_of(model));
}

// Against margins that no logit reaches the hinge loss is their mean less that of the logits.
TEST(GanStep, TellsTheMeanLogitOfRealImages) {
  GanModel model(small_options(), 1, 2e-4);
  const NoGradGuard no_grad;
  const Tensor real = Generator(2).uniform({2, 3, side, side}, -1, 1);
  const Shape logits = model.discriminator().judge_fake(models::both_sizes(real)).logits.shape();
  const models::FastGanRealLoss loss =
      models::discriminator_loss_real(model.discriminator(), perceptual_loss(), real,
                                      Tensor::full({2}, 0.6), Tensor::full(logits, 100));
  EXPECT_NE(loss.mean_logit.item(), 0);
  EXPECT_NEAR(loss.hinge.item() + loss.mean_logit.item(), 100, 1e-4);
}

TEST(GanStep, InBf16IsNearF32AndKeepsItsStateInF32) {
  models::FastGanOptions options = small_options();
  options.sparse = {};  // a rounding error would change which are kept
  GanModel wide(options, 1, 2e-4), reduced(options, 1, 2e-4), captured(options, 1, 2e-4);
  GanStep a(wide, perceptual_loss(), {.batch_size = 4, .seed = 1});
  GanStep b(reduced, perceptual_loss(), {.batch_size = 4, .seed = 1, .dtype = DType::bf16});
  GanStep c(captured, perceptual_loss(),
            {.batch_size = 4, .seed = 1, .capture = true, .dtype = DType::bf16});
  for (int64_t step = 0; step < 2; ++step) {
    run(a, step);
    run(b, step);
    run(c, step);
    const auto of_a = a.values().to_vector<double>(), of_b = b.values().to_vector<double>();
    for (size_t i = 0; i < of_a.size(); ++i) {
      EXPECT_NE(of_a[i], of_b[i]) << gan_value_names[i];
      EXPECT_TRUE(std::abs(of_a[i] - of_b[i]) <= 0.02 * std::abs(of_a[i]) + 0.02)
          << gan_value_names[i] << " in step " << step << ": " << of_a[i] << ", " << of_b[i];
    }
    EXPECT_EQ(of_b, c.values().to_vector<double>());
  }
  EXPECT_EQ(state_of(reduced), state_of(captured));
  for (const NamedTensor& entry : reduced.state_dict()) {
    EXPECT_NE(entry.tensor.dtype(), DType::bf16) << entry.name;
  }
}

}  // namespace
}  // namespace gestalt::tools
