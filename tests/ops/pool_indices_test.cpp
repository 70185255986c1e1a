#include <gtest/gtest.h>

#include "kernels/runtime.h"
#include "kernels/table.h"
#include "nn/pool.h"
#include "tensor/autograd.h"
#include "tensor/tensor.h"
#include "tests/ops/guarded_table.h"

namespace gestalt::nn {
namespace {

int calls_with_indices = 0, calls_without = 0;

void counted(Context& context, const View& x, const View& y, const View* indices,
             const Pool2dDesc& desc) {
  ++(indices != nullptr ? calls_with_indices : calls_without);
  cpu_runtime.kernels.max_pool2d_forward(context, x, y, indices, desc);
}

// 8 bytes an output, which cost more than the pooling itself.
TEST(MaxPool2d, WritesNoIndicesThatNobodyNeeds) {
  KernelTable table = cpu_runtime.kernels;
  table.max_pool2d_forward.function = counted;
  const cases::UseTable use(table);
  calls_with_indices = calls_without = 0;

  Tensor x = Tensor::from_vector(std::vector<float>{1, 4, 2, 3}, {1, 1, 2, 2});
  EXPECT_EQ(max_pool2d(x).to_vector<float>(), std::vector<float>{4});
  EXPECT_EQ(calls_without, 1);
  x.set_requires_grad(true);
  {
    const NoGradGuard no_grad;
    EXPECT_EQ(max_pool2d(x).to_vector<float>(), std::vector<float>{4});
  }
  EXPECT_EQ(calls_without, 2);
  EXPECT_EQ(calls_with_indices, 0);
  EXPECT_EQ(max_pool2d(x).detach().to_vector<float>(), std::vector<float>{4});
  EXPECT_EQ(calls_without, 2);
  EXPECT_EQ(calls_with_indices, 1);
}

}  // namespace
}  // namespace gestalt::nn
