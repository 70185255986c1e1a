// Captured steps against the same steps run one by one: equal to the bit, on every device.

#include "tensor/graph.h"

#include <cstdlib>
#include <gtest/gtest.h>

#include "kernels/error.h"
#include "models/synthesis.h"
#include "models/vgg.h"
#include "nn/conv.h"
#include "nn/layers.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "nn/pool.h"
#include "nn/topk.h"
#include "optim/adam.h"
#include "optim/ema.h"
#include "optim/sgd.h"
#include "tensor/allocator.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/random.h"
#include "tests/cuda_device.h"
#include "tests/error_of.h"

namespace gestalt {
namespace {

class CapturedGraphTest : public testing::TestWithParam<DeviceType> {
 protected:
  void SetUp() override {
    device_.type = GetParam();
    GESTALT_NEEDS_DEVICE(device_);
  }

  Tensor normal(const Shape& shape, uint64_t seed, double deviation = 1) {
    return Generator(seed).normal(shape, 0, deviation, {.device = device_});
  }

  Device device_;
};

std::vector<float> bits(const Tensor& x) {
  return x.to_vector<float>();
}

// ---- texture synthesis ----

struct Evaluation {
  std::vector<float> loss, gradient;
  bool operator==(const Evaluation&) const = default;
};

class TextureStep {
 public:
  TextureStep(Device device, int64_t images)
      : objective_(network(device), options(), noise(device, images, 1)),
        image(noise(device, images, 2)) {
    image.set_requires_grad(true);
  }

  void operator()() {
    image.set_grad({});
    losses = objective_(image);
    sum(losses).backward();
  }

  Evaluation result() const { return {bits(losses), bits(image.grad())}; }
  void set_image(uint64_t seed) {
    const NoGradGuard no_grad;
    image.copy_(noise(image.device(), image.size(0), seed));
  }

 private:
  static models::SynthesisOptions options() {
    models::SynthesisOptions options;
    options.fraction = 0.1;
    return options;
  }
  static Tensor noise(Device device, int64_t images, uint64_t seed) {
    return Generator(seed).normal({images, 3, 32, 32}, 0, 50, {.device = device});
  }
  static std::shared_ptr<nn::Sequential> network(Device device) {
    Generator generator(7);
    auto network = models::make_texture_vgg19(models::Pooling::average, generator);
    network->to(device);
    return network;
  }

  models::SynthesisLoss objective_;

 public:
  Tensor image, losses;
};

TEST_P(CapturedGraphTest, TextureEvaluation) {
  for (const int64_t images : {1, 2}) {
    TextureStep one_by_one(device_, images), captured(device_, images);
    CapturedGraph graph(device_, [&] { captured(); });
    for (const uint64_t seed : {3, 4, 5}) {
      one_by_one.set_image(seed);
      one_by_one();
      captured.set_image(seed);
      const Evaluation before = captured.result();
      graph.replay();
      EXPECT_NE(captured.result(), before);  // the replay computed something
      EXPECT_EQ(captured.result(), one_by_one.result()) << "image " << seed;
    }
  }
}

// ---- training ----

class TrainingStep {
 public:
  explicit TrainingStep(Device device)
      : images(Tensor::zeros({8, 3, 16, 16}, {.device = device})),
        labels(Tensor::zeros({8}, {.dtype = DType::i64, .device = device})) {
    Generator generator(1);
    const TensorOptions options{.device = device};
    const auto parameter = [&](const Shape& shape, double deviation) {
      parameters.push_back(generator.normal(shape, 0, deviation, options));
      parameters.back().set_requires_grad(true);
    };
    parameter({16, 3, 3, 3}, 0.2);
    parameter({16}, 0.1);
    parameter({10, 16}, 0.2);
    parameter({10}, 0.1);
    norm->to(device);
    for (const Tensor& tensor : norm->parameters()) parameters.push_back(tensor);
  }

  void forward_and_backward() {
    for (Tensor& tensor : parameters) tensor.set_grad({});
    Tensor x = nn::conv2d(images, parameters[0], parameters[1], {.padding = {1, 1}});
    x = nn::topk(norm->forward(x), 0.2);
    x = reshape(nn::adaptive_avg_pool2d(x, {1, 1}), {8, 16});
    loss = nn::cross_entropy(nn::linear(x, parameters[2], parameters[3]), labels);
    loss.backward();
  }

  void next_batch(uint64_t seed) {
    Generator generator(seed);
    images.copy_(generator.normal({8, 3, 16, 16}, 0, 1, {.device = images.device()}));
    std::vector<int64_t> classes(8);
    for (int64_t& label : classes) label = generator.integer(10);
    labels.copy_(Tensor::from_vector(classes, {8}, {.device = Device{}}));
  }

  // Everything that a run of steps leaves.
  std::vector<std::vector<float>> state() const {
    std::vector<std::vector<float>> state{bits(loss)};
    for (const NamedTensor& entry : norm->state_dict()) state.push_back(bits(entry.tensor));
    for (const Tensor& tensor : parameters) {
      state.push_back(bits(tensor));
      state.push_back(bits(tensor.grad()));
    }
    return state;
  }

  Tensor images, labels, loss;
  std::vector<Tensor> parameters;
  std::shared_ptr<nn::BatchNorm2d> norm = std::make_shared<nn::BatchNorm2d>(16);
};

const optim::SgdOptions sgd_options{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 1e-4};

TEST_P(CapturedGraphTest, TrainingStep) {
  TrainingStep one_by_one(device_), captured(device_);
  optim::Sgd sgd(one_by_one.parameters, sgd_options),
      captured_sgd(captured.parameters, sgd_options);
  for (TrainingStep* step : {&one_by_one, &captured}) step->next_batch(1);
  CapturedGraph graph(device_, [&] {
    captured.forward_and_backward();
    captured_sgd.step();
  });
  for (uint64_t step = 0; step < 6; ++step) {
    const bool warm_up = step < 2;  // the capture ran these on batch 1
    one_by_one.next_batch(warm_up ? 1 : step);
    one_by_one.forward_and_backward();
    sgd.step();
    if (warm_up) continue;
    captured.next_batch(step);
    graph.replay();
    EXPECT_EQ(captured.state(), one_by_one.state()) << "step " << step;
    // What others allocate, compute and free in between changes nothing.
    normal({64, 64, 16, 16}, step) * 2.0;
    TextureStep(device_, 1)();
  }
}

TEST_P(CapturedGraphTest, WhatIsToBeRestoredIsAsBeforeTheWarmUpRuns) {
  TrainingStep one_by_one(device_), captured(device_);
  const optim::SgdOptions options{.learning_rate = 0.1};  // without momentum: no state of its own
  optim::Sgd sgd(one_by_one.parameters, options), captured_sgd(captured.parameters, options);
  for (TrainingStep* step : {&one_by_one, &captured}) step->next_batch(1);
  std::vector<Tensor> restored = captured.parameters;
  for (const NamedTensor& entry : captured.norm->state_dict()) restored.push_back(entry.tensor);
  std::vector<std::vector<float>> before;
  for (const Tensor& tensor : restored) before.push_back(bits(tensor));
  int runs = 0;
  CapturedGraph graph(device_,
                      [&] {
                        ++runs;
                        captured.forward_and_backward();
                        captured_sgd.step();
                      },
                      {.warm_up_runs = 3, .restored = restored});
  EXPECT_EQ(runs, 4);  // the recording, too
  for (size_t i = 0; i < restored.size(); ++i) EXPECT_EQ(bits(restored[i]), before[i]) << i;
  for (uint64_t step = 0; step < 3; ++step) {
    for (TrainingStep* each : {&one_by_one, &captured}) each->next_batch(step);
    one_by_one.forward_and_backward();
    sgd.step();
    graph.replay();
    EXPECT_EQ(captured.state(), one_by_one.state()) << "step " << step;
  }
}

// A roll-back in the middle: loading copies into the memory that the recording knows.
TEST_P(CapturedGraphTest, StatesLoadedBehindTheRecordingAreThoseOfTheReplay) {
  TrainingStep one_by_one(device_), captured(device_);
  optim::Sgd sgd(one_by_one.parameters, sgd_options),
      captured_sgd(captured.parameters, sgd_options);
  optim::ExponentialMovingAverage ema(one_by_one.parameters, 0.5),
      captured_ema(captured.parameters, 0.5);
  for (TrainingStep* step : {&one_by_one, &captured}) step->next_batch(1);
  CapturedGraph graph(device_, [&] {
    captured.forward_and_backward();
    captured_sgd.step();
    captured_ema.update();
  });
  const auto run = [&] {
    one_by_one.forward_and_backward();
    sgd.step();
    ema.update();
  };
  const auto copy_of = [](StateDict state) {
    for (NamedTensor& entry : state) entry.tensor = entry.tensor.clone();
    return state;
  };
  const auto values_of = [](const StateDict& state) {
    std::vector<std::vector<double>> values;
    for (const NamedTensor& entry : state) values.push_back(entry.tensor.to_vector<double>());
    return values;
  };
  for (int step = 0; step < 2; ++step) run();
  const StateDict saved_sgd = copy_of(sgd.state_dict()), saved_ema = copy_of(ema.state_dict());
  for (int step = 0; step < 2; ++step) {
    run();
    graph.replay();
  }
  for (optim::Sgd* each : {&sgd, &captured_sgd}) each->load_state_dict(saved_sgd);
  for (auto* each : {&ema, &captured_ema}) each->load_state_dict(saved_ema);
  run();
  graph.replay();
  EXPECT_EQ(captured.state(), one_by_one.state());
  EXPECT_EQ(values_of(captured_sgd.state_dict()), values_of(sgd.state_dict()));
  EXPECT_EQ(values_of(captured_ema.state_dict()), values_of(ema.state_dict()));
}

TEST_P(CapturedGraphTest, HostValuesAreThoseOfTheRecording) {
  TrainingStep one_by_one(device_), captured(device_);
  optim::Adam adam(one_by_one.parameters, {}), captured_adam(captured.parameters, {});
  for (TrainingStep* step : {&one_by_one, &captured}) step->next_batch(1);
  const auto run = [&] {
    one_by_one.forward_and_backward();
    adam.step();
  };
  CapturedGraph graph(device_, [&] {
    captured.forward_and_backward();
    captured_adam.step();
  });
  for (int step = 0; step < 3; ++step) run();
  graph.replay();  // the recording was the third step
  EXPECT_EQ(captured.state(), one_by_one.state());
  for (const double learning_rate : {1e-2, 1e-3}) {
    adam.set_learning_rate(learning_rate);
    run();
    captured_adam.set_learning_rate(learning_rate);
    graph.capture();  // a new learning rate, and the next step count
    graph.replay();
    EXPECT_EQ(captured.state(), one_by_one.state());
  }
  run();
  graph.replay();  // not recorded again: the bias correction is that of the step before
  EXPECT_NE(captured.state(), one_by_one.state());
}

// ---- what a step may not do ----

std::string capture_error(Device device, const std::function<void()>& step) {
  return tests::error_of([&] { CapturedGraph graph(device, step); });
}

TEST_P(CapturedGraphTest, ReadingValuesIsAnError) {
  const Tensor x = normal({4}, 1);
  const auto read = [&](const std::function<void()>& step) { return capture_error(device_, step); };
  EXPECT_NE(read([&] { sum(x).item(); }).find("reading f32[]"), std::string::npos)
      << read([&] { sum(x).item(); });
  EXPECT_NE(read([&] {
              Tensor::from_vector<float>({1, 2}, {2}, {.device = device_});
            }).find("a tensor of host values"),
            std::string::npos);
  EXPECT_EQ(bits(x * 2.0).size(), 4u);  // the context works as before
}

// An op of one's own: host code that works on the memory, which no replay would run.
TEST_P(CapturedGraphTest, HostCodeThatTakesTheMemoryIsAnErrorOnTheCpu) {
  const Tensor x = normal({4}, 1);
  Tensor y;
  const auto step = [&] {
    y = x * 2.0;
    y.data<float>();
  };
  if (!device_.is_cpu()) {  // a pointer for a kernel, which is recorded
    EXPECT_EQ(capture_error(device_, step), "");
    return;
  }
  EXPECT_EQ(capture_error(device_, step),
            "[capture] the host's access to f32[4] (data<T>()) inside a captured step; it must "
            "happen before the capture (in its warm-up runs) or outside the step");
  EXPECT_NE((x * 2.0).data<float>(), nullptr);  // the context works as before
}

TEST_P(CapturedGraphTest, GrowthIsAnError) {
  std::vector<Tensor> kept;
  int64_t size = 1000;
  const auto step = [&] { kept.push_back(Tensor::zeros({size *= 2}, {.device = device_})); };
  EXPECT_NE(capture_error(device_, step).find("more than the warm-up runs left"), std::string::npos)
      << capture_error(device_, step);
  kept.clear();
  const Tensor y = normal({4}, 1) * 2.0;
  EXPECT_EQ(bits(y).size(), 4u);
}

TEST_P(CapturedGraphTest, AnErrorOfTheStepIsThrownOn) {
  int runs = 0;
  const auto step = [&] { GESTALT_CHECK(++runs < 3, "no third run"); };
  EXPECT_EQ(capture_error(device_, step), "no third run");
  EXPECT_EQ(bits(normal({4}, 1) * 2.0).size(), 4u);
}

TEST_P(CapturedGraphTest, WhatAStepReplacesAndLeavesStaysValid) {
  Tensor replaced = normal({1000}, 1), left;
  const std::vector<float> first = bits(replaced * 3.0);
  {
    const Tensor x = normal({1000}, 1);
    CapturedGraph graph(device_, [&] {
      left = x * 3.0;
      replaced = left * 2.0;
    });
    left.fill_(0);
    graph.replay();
  }
  const Tensor other = Tensor::zeros({1000}, {.device = device_});  // may not take left's memory
  EXPECT_EQ(bits(left), first);
  EXPECT_EQ(bits(other), std::vector<float>(1000, 0));
}

TEST_P(CapturedGraphTest, MemoryGoesWithTheGraph) {
  const size_t before = memory_stats(device_).in_use;
  {
    const Tensor x = normal({1000}, 1);
    CapturedGraph graph(device_, [&] { (x * 3.0) * 2.0; });
    EXPECT_GT(memory_stats(device_).in_use, before);
  }
  EXPECT_EQ(memory_stats(device_).in_use, before);
}

// A recording keeps what it saw given up, the one before it no longer.
TEST_P(CapturedGraphTest, RecordingAgainDoesNotPileUpMemory) {
  const Tensor x = normal({1000}, 1);
  Tensor replaced;
  CapturedGraph graph(device_, [&] { replaced = x * 2.0; });
  std::vector<size_t> in_use;
  for (uint64_t i = 0; i < 4; ++i) {
    replaced = normal({1000}, i);
    graph.capture();
    in_use.push_back(memory_stats(device_).in_use);
  }
  EXPECT_LT(in_use.back(), in_use.front() + 4000);  // less than one of the three since
  graph.replay();
  EXPECT_EQ(bits(replaced), bits(x * 2.0));
}

// The environment is read once a process: each in one of its own.
TEST(CapturePays, OnCudaUnlessEachKernelIsWaitedFor) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto exit_with_answer = [](const char* sync, Device device) {
    setenv("GESTALT_SYNC", sync, 1);
    std::exit(capture_pays(device) ? 1 : 0);
  };
  const Device cuda{DeviceType::cuda, 0};
  EXPECT_EXIT(exit_with_answer("0", cuda), testing::ExitedWithCode(1), "");
  EXPECT_EXIT(exit_with_answer("1", cuda), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(exit_with_answer("0", Device{}), testing::ExitedWithCode(0), "");
}

INSTANTIATE_TEST_SUITE_P(Devices, CapturedGraphTest,
                         testing::Values(DeviceType::cpu, DeviceType::cuda),
                         [](const auto& info) { return to_string(info.param); });

}  // namespace
}  // namespace gestalt
