// Kernels that take i64 beside floating types: exact, on every backend.

#include <gtest/gtest.h>

#include "kernels/table.h"
#include "tensor/context.h"
#include "tensor/tensor.h"
#include "tests/cuda_device.h"
#include "tests/ops/guarded_table.h"
#if defined(GESTALT_WITH_SIMT)
#include "tests/simt/table.h"
#endif

namespace gestalt::cases {
namespace {

void expect_exact_sums(Device device) {
  const int64_t large = (int64_t{1} << 60) + 1;  // no double
  for (const int64_t size : {1, 5, 1000}) {
    std::vector<int64_t> values(size, large), expected(size, large - 3);
    const Tensor x = Tensor::from_vector(values, {size}, {.device = device});
    Context& ctx = context(device);
    ctx.kernels().add_scalar(ctx, x.view(), -3, x.view());
    EXPECT_EQ(x.to_vector<int64_t>(), expected);
  }
}

TEST(Integers, add_scalar_is_exact) {
  expect_exact_sums({});
}

#if defined(GESTALT_WITH_SIMT)
TEST(Integers, add_scalar_is_exact_under_the_simt_executor) {
  const UseTable use(simt_kernels());
  expect_exact_sums({});
}
#endif

TEST(Integers, add_scalar_is_exact_on_cuda) {
  const Device cuda{DeviceType::cuda, 0};
  GESTALT_NEEDS_DEVICE(cuda);
  expect_exact_sums(cuda);
}

}  // namespace
}  // namespace gestalt::cases
