// Kernels that take i64 beside floating types: exact, on every backend.

#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <vector>

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

void expect_saturated(Device device) {
  const float huge = 3e19f, infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{
      0.9f, -0.9f, -1.5f,    255.9f,    256, 300, -300, 1e10f, -9223372036854775808.0f,
      huge, -huge, infinity, -infinity, NAN};
  constexpr int64_t least = INT64_MIN, most = INT64_MAX;
  const std::vector<int64_t> as_i64{0,           0,     -1,   255,   256,  300,   -300,
                                    10000000000, least, most, least, most, least, 0};
  const std::vector<uint8_t> as_u8{0, 0, 0, 255, 255, 255, 0, 255, 0, 255, 0, 255, 0, 0};
  const auto size = static_cast<int64_t>(values.size());
  const Tensor x = Tensor::from_vector(values, {size}, {.device = device});
  EXPECT_EQ(x.to(DType::i64).to_vector<int64_t>(), as_i64);
  EXPECT_EQ(x.to(DType::u8).to_vector<uint8_t>(), as_u8);
  // bf16 rounds 255.9 to 256 and 1e10 to a multiple of 2^26.
  const Tensor rounded = x.to(DType::bf16);
  EXPECT_EQ(rounded.to(DType::u8).to_vector<uint8_t>(), as_u8);
  EXPECT_EQ(rounded.to(DType::i64).to_vector<int64_t>(),
            rounded.to(DType::f32).to(DType::i64).to_vector<int64_t>());
  const Tensor filled = Tensor::empty({2}, {.dtype = DType::u8, .device = device}).fill_(1e6);
  EXPECT_EQ(filled.to_vector<uint8_t>(), std::vector<uint8_t>(2, 255));
}

TEST(Integers, floats_saturate) {
  expect_saturated({});
}

#if defined(GESTALT_WITH_SIMT)
TEST(Integers, floats_saturate_under_the_simt_executor) {
  const UseTable use(simt_kernels());
  expect_saturated({});
}
#endif

TEST(Integers, floats_saturate_on_cuda) {
  const Device cuda{DeviceType::cuda, 0};
  GESTALT_NEEDS_DEVICE(cuda);
  expect_saturated(cuda);
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
