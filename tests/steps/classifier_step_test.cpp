// A step of a classifier's training: as it is against recorded, contiguous against channels-last.

#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <tuple>

#include "kernels/error.h"
#include "models/registry.h"
#include "nn/layers.h"
#include "nn/sequential.h"
#include "nn/weight_format.h"
#include "optim/adam.h"
#include "optim/sgd.h"
#include "tensor/context.h"
#include "tensor/random.h"
#include "tests/cuda_device.h"
#include "tools/training/step.h"

namespace gestalt::tools {
namespace {

constexpr int64_t side = 16;

std::shared_ptr<nn::Module> small_network() {
  Generator random(5);
  auto network = std::make_shared<nn::Sequential>();
  const auto convolution = [&](int64_t in, int64_t out) {
    network->append(std::make_shared<nn::Conv2d>(
        nn::Conv2dOptions{
            .in_channels = in, .out_channels = out, .kernel = {3, 3}, .desc = {.padding = {1, 1}}},
        random));
    network->append(std::make_shared<nn::BatchNorm2d>(out));
    network->append(std::make_shared<nn::ReLU>());
  };
  convolution(3, 8);
  network->append(std::make_shared<nn::TopK>(0.2));
  convolution(8, 12);
  network->append(std::make_shared<nn::Flatten>());
  network->append(std::make_shared<nn::Linear>(12 * side * side, 3, random));
  return network;
}

struct Training {
  Training(Device device, const ClassifierStepOptions& options, const std::string& optimizer)
      : network(small_network()) {
    network->to(device);
    nn::set_weight_format(*network, options.format);
    network->train();
    if (optimizer == "sgd") {
      this->optimizer = std::make_unique<optim::Sgd>(
          network->parameters(),
          optim::SgdOptions{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 5e-4});
    } else {
      this->optimizer = std::make_unique<optim::Adam>(network->parameters(), optim::AdamOptions{});
    }
    step.emplace(*network, *this->optimizer, options);
  }

  std::vector<std::vector<double>> state() const {
    std::vector<std::vector<double>> values;
    for (const StateDict& part : {network->state_dict(), optimizer->state_dict()}) {
      for (const NamedTensor& entry : part) values.push_back(entry.tensor.to_vector<double>());
    }
    return values;
  }

  std::shared_ptr<nn::Module> network;
  std::unique_ptr<optim::Optimizer> optimizer;
  std::optional<ClassifierStep> step;
};

struct Batch {
  Tensor images, labels;
};
Batch batch(Device device, uint64_t seed, int64_t count) {
  Generator random(seed);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < count; ++i) labels.push_back(static_cast<int64_t>(random.integer(3)));
  return {random.normal({count, 3, side, side}, 0, 1, {.device = device}),
          Tensor::from_vector<int64_t>(labels, {count}, {.device = device})};
}

struct Mode {
  const char* name;
  const char* optimizer;
  DType dtype;
  Format format;
};

class ClassifierStepIn : public testing::TestWithParam<std::tuple<DeviceType, Mode>> {
 protected:
  void SetUp() override {
    device_.type = std::get<DeviceType>(GetParam());
    GESTALT_NEEDS_DEVICE(device_);
  }

  Device device_;
};

TEST_P(ClassifierStepIn, RecordedIsTheSameToTheBit) {
  const Mode& mode = std::get<Mode>(GetParam());
  ClassifierStepOptions options{
      .batch_size = 3, .label_smoothing = 0.1, .dtype = mode.dtype, .format = mode.format};
  Training eager(device_, options, mode.optimizer);
  options.capture = true;
  Training recorded(device_, options, mode.optimizer);
  // Batches of another size come first, between and after those that are replayed.
  const std::vector<int64_t> sizes = {2, 3, 3, 1, 3, 3, 2};
  std::vector<Tensor> losses;
  std::vector<std::vector<float>> expected;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const Batch given = batch(device_, i, sizes[i]);
    const auto before = recorded.state();
    const auto a = eager.step->run(given.images, given.labels);
    const auto b = recorded.step->run(given.images, given.labels);
    EXPECT_NE(before, recorded.state()) << "step " << i;
    EXPECT_EQ(eager.state(), recorded.state()) << "step " << i;
    EXPECT_EQ(a.logits.to_vector<float>(), b.logits.to_vector<float>()) << "step " << i;
    losses.push_back(b.loss);
    expected.push_back(a.loss.to_vector<float>());
    for (Training* training : {&eager, &recorded}) {
      training->optimizer->set_learning_rate(0.1 / static_cast<double>(i + 2));
    }
  }
  // A loss is the caller's own: the steps after it leave it.
  for (size_t i = 0; i < losses.size(); ++i) {
    EXPECT_EQ(losses[i].to_vector<float>(), expected[i]) << "step " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Modes, ClassifierStepIn,
    testing::Combine(
        testing::Values(DeviceType::cpu, DeviceType::cuda),
        testing::Values(Mode{"sgd", "sgd", DType::f32, Format::contiguous},
                        Mode{"adam_channels_last", "adam", DType::f32, Format::channels_last},
                        Mode{"bf16", "sgd", DType::bf16, Format::contiguous},
                        Mode{"bf16_channels_last", "sgd", DType::bf16, Format::channels_last})),
    [](const auto& info) {
      return to_string(std::get<DeviceType>(info.param)) + "_" + std::get<Mode>(info.param).name;
    });

// The context in exact mode: TF32, CUDA's default, rounds otherwise in each layout.
class ClassifierStepOn : public testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    device_.type = GetParam();
    GESTALT_NEEDS_DEVICE(device_);
    exact_.emplace(device_, true);
  }

  Device device_;

 private:
  std::optional<ExactGuard> exact_;
};

TEST_P(ClassifierStepOn, ChannelsLastIsTheSameNetwork) {
  const Batch given = batch(device_, 1, 4);
  std::vector<double> losses;
  for (const Format format : {Format::contiguous, Format::channels_last}) {
    Training training(device_, {.batch_size = 4, .format = format}, "sgd");
    losses.push_back(training.step->run(given.images, given.labels).loss.item());
    int found = 0;
    for (const nn::Module::Named& entry : training.network->named_parameters()) {
      if (entry.name != "0.weight") continue;
      ++found;
      EXPECT_EQ(entry.tensor->format(), format);
    }
    EXPECT_EQ(found, 1);
  }
  EXPECT_NEAR(losses[0], losses[1], 1e-4 * losses[0]);
}

INSTANTIATE_TEST_SUITE_P(Devices, ClassifierStepOn,
                         testing::Values(DeviceType::cpu, DeviceType::cuda),
                         [](const auto& info) { return to_string(info.param); });

TEST(ClassifierStep, DropoutIsNotRecorded) {
  const auto network = models::make_model("alexnet", {.classes = 3, .image_size = 64});
  optim::Sgd optimizer(network->parameters(), {.learning_rate = 0.1});
  EXPECT_NO_THROW(ClassifierStep(*network, optimizer, {}));
  EXPECT_THROW(ClassifierStep(*network, optimizer, {.capture = true}), Error);
}

}  // namespace
}  // namespace gestalt::tools
