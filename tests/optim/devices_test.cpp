// The optimizers on CUDA's kernels, run by the SIMT executor, and on CUDA itself where there is
// one: the same f32 run as on the CPU, up to rounding.

#include <gtest/gtest.h>

#include "optim/adam.h"
#include "optim/ema.h"
#include "optim/lbfgs.h"
#include "optim/sgd.h"
#include "tests/cuda_device.h"
#include "tests/optim/fixture.h"
#include "tests/optim/functions.h"
#ifdef GESTALT_WITH_SIMT
#include "tests/simt/table.h"
#endif

namespace gestalt::optim {
namespace {

// What a run leaves: points, averages and states, on the CPU.
using Points = std::vector<std::vector<double>>;

Tensor on(Device device, const std::vector<double>& values) {
  const std::vector<float> rounded(values.begin(), values.end());
  return Tensor::from_vector(rounded, {static_cast<int64_t>(values.size())}, {.device = device});
}

std::vector<double> values_of(const Tensor& x) {
  const std::vector<float> values = x.to_vector<float>();
  return {values.begin(), values.end()};
}

Points run_lbfgs(Device device) {
  Points points;
  for (const LineSearch line_search : {LineSearch::strong_wolfe, LineSearch::none}) {
    LbfgsStepper stepper(on(device, {1, -2, 3, -1}),
                         {.learning_rate = line_search == LineSearch::none ? 0.5 : 1,
                          .max_iterations = 4,
                          .history_size = 3,
                          .line_search = line_search});
    for (int step = 0; step < 2; ++step) {
      stepper.begin_step();
      while (stepper.needs_evaluation()) {
        points.push_back(values_of(stepper.point()));
        const Evaluation e = quadratic(points.back());
        stepper.tell(e.loss, on(device, e.gradient));
      }
    }
    LbfgsStepper resumed(on(device, {0, 0, 0, 0}));
    resumed.load_state_dict(stepper.state_dict());
    points.push_back(values_of(resumed.point()));
  }
  return points;
}

Points run_steps(Device device) {
  Points points;
  const std::vector<double> start{1, -2, 0.5, 0.3, -0.7};
  Tensor x = on(device, start), y = on(device, start), z = on(device, start);
  Sgd sgd({x}, {.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.1, .nesterov = true});
  Adam adam({y}, {.learning_rate = 0.1, .weight_decay = 0.1});
  Adam adamw({z}, AdamOptions::adamw(0.1));
  ExponentialMovingAverage average({x}, 0.5);
  for (int step = 0; step < 4; ++step) {
    for (const auto& [parameter, optimizer] :
         std::vector<std::pair<Tensor, Optimizer*>>{{x, &sgd}, {y, &adam}, {z, &adamw}}) {
      Tensor(parameter).set_grad(on(device, quadratic(values_of(parameter)).gradient));
      optimizer->step();
      points.push_back(values_of(parameter));
    }
    average.update();
    points.push_back(values_of(average.averages()[0]));
  }
  for (const auto& entry : adam.state_dict()) points.push_back(entry.tensor.to_vector<double>());
  return points;
}

void expect_same(const Points& got, const Points& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].size(), expected[i].size()) << "point " << i;
    double largest = 0;
    for (double value : expected[i]) largest = std::max(largest, std::abs(value));
    for (size_t k = 0; k < got[i].size(); ++k) {
      ASSERT_TRUE(is_close(got[i][k], expected[i][k], 1e-4, largest))
          << "point " << i << ", element " << k << ": " << got[i][k] << ", on the CPU "
          << expected[i][k];
    }
  }
}

TEST(OptimizersOnDevices, CudaKernelsUnderTheSimtExecutor) {
#ifdef GESTALT_WITH_SIMT
  const Points lbfgs = run_lbfgs(Device{}), steps = run_steps(Device{});
  Context& ctx = context(Device{});
  const KernelTable& kernels = ctx.kernels();
  ctx.set_kernels(simt_kernels());
  Points simt_lbfgs, simt_steps;
  EXPECT_NO_THROW(simt_lbfgs = run_lbfgs(Device{}));
  EXPECT_NO_THROW(simt_steps = run_steps(Device{}));
  ctx.set_kernels(kernels);
  expect_same(simt_lbfgs, lbfgs);
  expect_same(simt_steps, steps);
#else
  GTEST_SKIP() << "built without the SIMT executor";
#endif
}

// A run that goes to the device in the middle.
Points run_moved(Device device) {
  Points points;
  Tensor x = on(Device{}, {1, -2, 0.5}), y = on(Device{}, {1, -2, 0.5});
  Sgd sgd({x}, {.learning_rate = 0.1, .momentum = 0.9});
  Adam adam({y}, {.learning_rate = 0.1});
  ExponentialMovingAverage average({x}, 0.5);
  Lbfgs lbfgs({y}, {.learning_rate = 0.1, .max_iterations = 2});
  for (int step = 0; step < 4; ++step) {
    if (step == 2) {
      for (const Tensor& parameter : {x, y}) parameter.set_data(parameter.to(device));
    }
    for (Tensor* parameter : {&x, &y}) {
      parameter->set_grad(on(parameter->device(), quadratic(values_of(*parameter)).gradient));
    }
    sgd.step();
    adam.step();
    average.update();
    lbfgs.step([&] {
      const Evaluation e = quadratic(values_of(y));
      y.set_grad(on(y.device(), e.gradient));
      return e.loss;
    });
    for (const Tensor& tensor : {x, y, average.averages()[0]}) points.push_back(values_of(tensor));
  }
  return points;
}

TEST(OptimizersOnDevices, CudaFromTheMiddleOn) {
  const Device cuda{DeviceType::cuda, 0};
  const Points expected = run_moved(Device{});
  GESTALT_NEEDS_DEVICE(cuda);
  expect_same(run_moved(cuda), expected);
}

TEST(OptimizersOnDevices, Cuda) {
  const Device cuda{DeviceType::cuda, 0};
  GESTALT_NEEDS_DEVICE(cuda);
  expect_same(run_lbfgs(cuda), run_lbfgs(Device{}));
  expect_same(run_steps(cuda), run_steps(Device{}));
}

}  // namespace
}  // namespace gestalt::optim
