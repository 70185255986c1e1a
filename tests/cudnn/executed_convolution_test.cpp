// Convolutions by cuDNN on a GPU, beside those of tests/ops: what only problems of more than 2^31
// elements ask for, of a small one, and failures.

#include <cstdio>
#include <cstdlib>
#include <gtest/gtest.h>

#include "kernels/cuda/library/conv2d_plan.h"
#include "kernels/cuda/library/handles.h"
#include "kernels/table.h"
#include "tensor/tensor.h"
#include "tests/cuda_device.h"
#include "tests/error_of.h"

namespace gestalt::cuda {
namespace {

TEST(Convolutions, AddToTheWeightsGradientOfTheImagesBefore) {
  const Device device{DeviceType::cuda, 0};
  GESTALT_NEEDS_DEVICE(device);
  Context& context = gestalt::context(device);
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    for (const Format format : {Format::contiguous, Format::channels_last}) {
      const TensorOptions options{.dtype = dtype, .device = device, .format = format};
      const Tensor x = Tensor::ones({2, 8, 4, 4}, options),
                   dy = Tensor::ones({2, 8, 2, 2}, options);
      const Tensor dw = Tensor::full({8, 8, 3, 3}, 5, options);
      Conv2dProblem problem = make_problem(context, Conv2dDirection::backward_weights, x.view(),
                                           dw.view(), dy.view(), {});
      problem.accumulates = true;
      const std::optional<Plan> plan = make_plan(problem, target_of(context));
      ASSERT_TRUE(plan) << to_string(problem);
      const size_t bytes = plan->workspace_bytes();
      plan->run(context, problem, {x.view().data, dw.view().data, dy.view().data},
                bytes > 0 ? context.workspace(bytes) : nullptr);
      // Of each of the 2 images 4 products of 1.
      EXPECT_EQ(dw.to_vector<float>(), std::vector<float>(8 * 8 * 3 * 3, 5 + 2 * 4))
          << to_string(problem);
    }
  }
}

// A fault of an earlier kernel is not taken for a plan that cuDNN refuses.
TEST(ConvolutionsDeathTest, NameAFaultThatWasThereBefore) {
  const Device device{DeviceType::cuda, 0};
  GESTALT_NEEDS_DEVICE(device);
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto message = [&] {
    Context& context = gestalt::context(device);
    const TensorOptions options{.device = device};
    const Tensor x = Tensor::ones({2, 8, 4, 4}, options), w = Tensor::ones({8, 8, 1, 1}, options);
    const Tensor y = Tensor::ones({2, 8, 4, 4}, options);
    cudnn_handle(context);  // is there from other convolutions
    View nowhere = y.view();
    nowhere.data = reinterpret_cast<void*>(256);
    const std::string error = tests::error_of([&] {
      context.kernels().add(context, nowhere, nowhere, nowhere);
      context.kernels().conv2d_forward(context, x.view(), w.view(), nullptr, y.view(), {});
    });
    std::fputs(error.c_str(), stderr);
    std::_Exit(0);  // nothing can be released any more
  };
  EXPECT_EXIT(message(), testing::ExitedWithCode(0), "CUDA: an illegal memory access");
}

}  // namespace
}  // namespace gestalt::cuda
