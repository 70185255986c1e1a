// The plans that cuDNN makes for GPUs that aren't here: that there is one for everything which
// networks ask for, that it keeps what conv2d_plan.cpp promises, and that it converts no layout
// where it need not. What the plans compute only a GPU can show.

#include "tests/cudnn/planned_convolution.h"

#include <cstdlib>
#include <gtest/gtest.h>
#include <iterator>
#include <vector>

#include "kernels/cuda/library/skipped_engines.h"
#include "tests/error_of.h"

namespace gestalt::cuda {
namespace {

constexpr PlannedDevice devices[] = {PlannedDevice::a100, PlannedDevice::h100, PlannedDevice::h200};
constexpr Conv2dDirection directions[] = {Conv2dDirection::forward, Conv2dDirection::backward_data,
                                          Conv2dDirection::backward_weights};
constexpr DType dtypes[] = {DType::f32, DType::bf16, DType::f16};
constexpr Format formats[] = {Format::contiguous, Format::channels_last};

// A layer on square images.
struct Layer {
  int64_t images, inputs, side, outputs, kernel;
  int64_t stride = 1, padding = 0, groups = 1, dilation = 1;
};

Conv2dProblem problem_of(const Layer& layer, Conv2dDirection direction, DType dtype,
                         Format format) {
  const int64_t reach = layer.dilation * (layer.kernel - 1) + 1;
  const int64_t side = (layer.side + 2 * layer.padding - reach) / layer.stride + 1;
  return {.direction = direction,
          .x = {layer.images, layer.inputs, layer.side, layer.side},
          .w = {layer.outputs, layer.inputs / layer.groups, layer.kernel, layer.kernel},
          .y = {layer.images, layer.outputs, side, side},
          .dtype = dtype,
          .format = format,
          .stride = {layer.stride, layer.stride},
          .padding = {layer.padding, layer.padding},
          .dilation = {layer.dilation, layer.dilation}};
}

size_t bytes_of(const std::array<int64_t, 4>& sizes, DType dtype) {
  return static_cast<size_t>(Shape(sizes).numel() * size_of(dtype));
}

bool has(const PlannedConvolution& plan, const char* note) {
  return plan.notes.find(note) != std::string::npos;
}

class PlannedConvolutions : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_nothing_is_planned(); !why.empty()) GTEST_SKIP() << why;
  }

  // On every device, and by the rules.
  static std::vector<PlannedConvolution> plan(const Conv2dProblem& problem) {
    std::vector<PlannedConvolution> plans;
    for (const PlannedDevice device : devices) {
      const auto plan = plan_convolution(device, problem);
      EXPECT_TRUE(plan) << to_string(problem) << " on device " << static_cast<int>(device);
      if (!plan) continue;
      EXPECT_FALSE(has(*plan, "nondeterministic")) << to_string(problem);
      EXPECT_FALSE(has(*plan, "reduced_precision_reduction")) << to_string(problem);
      EXPECT_LE(plan->workspace_bytes, size_t{1} << 30) << to_string(problem);
      plans.push_back(*plan);
    }
    return plans;
  }
};

// ResNet-18's, 128 images of 224x224; the first one's images have no gradient.
constexpr Layer resnet18[] = {{128, 3, 224, 64, 7, 2, 3},   {128, 64, 56, 64, 3, 1, 1},
                              {128, 64, 56, 128, 3, 2, 1},  {128, 64, 56, 128, 1, 2},
                              {128, 128, 28, 128, 3, 1, 1}, {128, 256, 14, 256, 3, 1, 1},
                              {128, 256, 14, 512, 1, 2},    {128, 512, 7, 512, 3, 1, 1}};

TEST_F(PlannedConvolutions, ResNetsTrainInEveryDtypeAndLayout) {
  for (const Layer& layer : resnet18) {
    for (const auto direction : directions) {
      if (layer.inputs == 3 && direction == Conv2dDirection::backward_data) continue;
      for (const auto dtype : dtypes) {
        for (const auto format : formats) plan(problem_of(layer, direction, dtype, format));
      }
    }
  }
}

TEST_F(PlannedConvolutions, ChannelsLastIn16BitsUsesTensorCoresAndConvertsNoImages) {
  for (const Layer& layer : resnet18) {
    if (layer.inputs % 8 != 0) continue;
    for (const auto direction : directions) {
      const auto problem = problem_of(layer, direction, DType::bf16, Format::channels_last);
      for (const auto& plan : plan(problem)) {
        EXPECT_TRUE(has(plan, "tensor_core")) << to_string(problem) << ": " << plan.notes;
        // The weights' gradient has partial sums there.
        if (direction == Conv2dDirection::backward_weights) continue;
        EXPECT_LT(plan.workspace_bytes, bytes_of(problem.x, problem.dtype) / 4)
            << to_string(problem);
      }
    }
  }
}

TEST_F(PlannedConvolutions, ExactF32UsesNoTensorCores) {
  for (const Layer& layer : resnet18) {
    for (const auto direction : directions) {
      for (const auto format : formats) {
        Conv2dProblem problem = problem_of(layer, direction, DType::f32, format);
        problem.exact = true;
        for (const auto& plan : plan(problem)) {
          EXPECT_FALSE(has(plan, "tensor_core")) << to_string(problem) << ": " << plan.notes;
          EXPECT_FALSE(has(plan, "winograd")) << to_string(problem) << ": " << plan.notes;
          EXPECT_FALSE(has(plan, "fft")) << to_string(problem) << ": " << plan.notes;
        }
      }
    }
  }
}

TEST_F(PlannedConvolutions, TakeUnusualLayers) {
  for (const Layer& layer :
       {Layer{2, 8, 9, 12, 3, 1, 1, 4}, Layer{2, 6, 9, 6, 3, 2, 1, 6},
        Layer{1, 5, 7, 3, 3, 1, 2, 1, 2}, Layer{3, 7, 1, 5, 1}, Layer{1, 1, 1, 1, 1},
        Layer{2, 3, 8, 4, 4, 2, 1}, Layer{4, 256, 4, 512, 4}, Layer{1, 2048, 8, 320, 1},
        Layer{64, 3, 224, 64, 11, 4, 2}, Layer{64, 64, 27, 192, 5, 1, 2}}) {
    for (const auto direction : directions) {
      for (const auto dtype : dtypes) {
        for (const auto format : formats) {
          for (const bool exact : {false, true}) {
            Conv2dProblem problem = problem_of(layer, direction, dtype, format);
            problem.exact = exact;
            plan(problem);
          }
        }
      }
    }
  }
}

TEST_F(PlannedConvolutions, TakeArraysThatStartAnywhere) {
  for (const auto direction : directions) {
    for (const auto dtype : dtypes) {
      for (const auto format : formats) {
        Conv2dProblem problem = problem_of({8, 64, 28, 64, 3, 1, 1}, direction, dtype, format);
        problem.alignment = size_of(dtype);
        plan(problem);
      }
    }
  }
}

TEST_F(PlannedConvolutions, AddToTheWeightsGradient) {
  for (const auto dtype : dtypes) {
    for (const auto format : formats) {
      Conv2dProblem problem =
          problem_of({128, 64, 56, 64, 3, 1, 1}, Conv2dDirection::backward_weights, dtype, format);
      problem.accumulates = true;
      plan(problem);
    }
  }
}

// Which is what nn::convolution_format goes by.
TEST_F(PlannedConvolutions, UseTensorCoresForF32FromAmpereOnAndForF16BeforeIt) {
  const auto notes = [](PlannedDevice device, DType dtype) {
    const auto plan =
        plan_convolution(device, problem_of({8, 64, 56, 64, 3, 1, 1}, Conv2dDirection::forward,
                                            dtype, Format::channels_last));
    return plan ? plan->notes : "no plan";
  };
  for (const PlannedDevice device : devices) {
    EXPECT_EQ(notes(device, DType::f32), "tensor_core") << static_cast<int>(device);
  }
  EXPECT_EQ(notes(PlannedDevice::t4, DType::f32).find("tensor_core"), std::string::npos);
  EXPECT_EQ(notes(PlannedDevice::t4, DType::f16), "tensor_core");
}

TEST_F(PlannedConvolutions, HaveOthersWhereTheBestIsRefused) {
  for (const auto direction : directions) {
    for (const auto dtype : dtypes) {
      Conv2dProblem problem = problem_of({1, 8, 9, 8, 3, 1, 1}, direction, dtype, formats[0]);
      problem.alignment = size_of(dtype);
      int before = 1;
      const auto second = [&](const PlannedConvolution&) { return before-- == 0; };
      const auto none = [](const PlannedConvolution&) { return false; };
      EXPECT_TRUE(plan_convolution(PlannedDevice::h200, problem, second)) << to_string(problem);
      EXPECT_FALSE(plan_convolution(PlannedDevice::h200, problem, none)) << to_string(problem);
    }
  }
}

// For a device whose memory is nearly taken.
TEST_F(PlannedConvolutions, HaveOthersThatNeedLessMemory) {
  constexpr size_t little = 1 << 20;
  const auto needs_little = [](const PlannedConvolution& plan) {
    return plan.workspace_bytes <= little;
  };
  int others = 0;
  for (const Layer& layer : resnet18) {
    for (const auto direction : directions) {
      for (const auto format : formats) {
        const Conv2dProblem problem = problem_of(layer, direction, DType::f32, format);
        const auto best = plan_convolution(PlannedDevice::h200, problem);
        ASSERT_TRUE(best) << to_string(problem);
        const auto small = plan_convolution(PlannedDevice::h200, problem, needs_little);
        ASSERT_TRUE(small) << to_string(problem);
        EXPECT_LE(small->workspace_bytes, little);
        others += small->engine != best->engine;
      }
    }
  }
  EXPECT_GT(others, 0);
}

// Of the environment, while it lives.
class Skip {
 public:
  explicit Skip(const std::string& list) { setenv("GESTALT_CUDNN_SKIP", list.c_str(), 1); }
  ~Skip() { unsetenv("GESTALT_CUDNN_SKIP"); }
  Skip(const Skip&) = delete;
  Skip& operator=(const Skip&) = delete;
};

TEST_F(PlannedConvolutions, LeaveOutEnginesThatAUserForbids) {
  const auto engine_of = [](Conv2dDirection direction) {
    const auto plan = plan_convolution(
        PlannedDevice::h100,
        problem_of({8, 64, 56, 64, 3, 1, 1}, direction, DType::f32, Format::contiguous));
    return plan ? plan->engine : -1;
  };
  const char* const names[] = {"forward", "backward_data", "backward_weights"};
  for (size_t i = 0; i < std::size(directions); ++i) {
    const int64_t best = engine_of(directions[i]);
    std::string skipped = format("{}:{}", names[i], best);
    const std::string elsewhere = format("{}:{}", names[(i + 1) % std::size(names)], best);
    {
      const Skip other(elsewhere);
      EXPECT_EQ(engine_of(directions[i]), best) << elsewhere;
    }
    const Skip first(skipped);
    const int64_t second = engine_of(directions[i]);
    EXPECT_NE(second, best) << skipped;
    skipped += format(",{}:{}", names[i], second);
    const Skip both(skipped);
    const int64_t third = engine_of(directions[i]);
    EXPECT_NE(third, best) << skipped;
    EXPECT_NE(third, second) << skipped;
    EXPECT_NE(third, -1) << skipped;
  }
}

TEST(SkippedEngines, AreNamedByDirectionAndNumber) {
  for (const char* list :
       {"forward", "forward:", "forward:x", "forward:5x", "forward:-1", "5", "conv2d_forward:5",
        "forward:5;backward_data:1", "forward:5,,forward:6", "backward_data:5,backward:5"}) {
    const Skip skipped(list);
    const std::string error = tests::error_of([] { is_skipped(Conv2dDirection::forward, 5); });
    EXPECT_NE(error.find(format("not '{}'", list)), std::string::npos) << list << ": " << error;
  }
  {
    const Skip skipped("backward_data:12,forward:5,backward_weights:0");
    EXPECT_TRUE(is_skipped(Conv2dDirection::forward, 5));
    EXPECT_TRUE(is_skipped(Conv2dDirection::backward_data, 12));
    EXPECT_TRUE(is_skipped(Conv2dDirection::backward_weights, 0));
    EXPECT_FALSE(is_skipped(Conv2dDirection::forward, 12));
    EXPECT_FALSE(is_skipped(Conv2dDirection::backward_data, 1));
  }
  const Skip none("");
  EXPECT_FALSE(is_skipped(Conv2dDirection::forward, 5));
}

TEST(FaultyEngines, AreThoseOfACudnnAndADevice) {
  EXPECT_TRUE(is_faulty(Conv2dDirection::forward, 5, 92301, 86));
  EXPECT_FALSE(is_faulty(Conv2dDirection::forward, 5, 92400, 86));
  EXPECT_FALSE(is_faulty(Conv2dDirection::forward, 5, 92201, 86));
  EXPECT_FALSE(is_faulty(Conv2dDirection::forward, 5, 92301, 90));
  EXPECT_FALSE(is_faulty(Conv2dDirection::forward, 6, 92301, 86));
  EXPECT_FALSE(is_faulty(Conv2dDirection::backward_data, 5, 92301, 86));
}

TEST_F(PlannedConvolutions, RefuseSizesThatDoNotFitTogether) {
  Conv2dProblem problem =
      problem_of({2, 8, 9, 8, 3, 1, 1}, Conv2dDirection::forward, DType::f32, Format::contiguous);
  problem.y[2] = 4;
  try {
    plan_convolution(PlannedDevice::h100, problem);
    FAIL() << "planned";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("[conv2d_forward]"), std::string::npos) << message;
    EXPECT_NE(message.find("x f32[2,8,9,9], w [8,8,3,3], y [2,8,4,9]"), std::string::npos)
        << message;
  }
}

}  // namespace
}  // namespace gestalt::cuda
