// Random values are the same bits on every backend.

#include <bit>
#include <gtest/gtest.h>

#include "kernels/runtime.h"
#include "tensor/context.h"
#include "tensor/random.h"
#include "tests/cuda_device.h"
#include "tests/ops/guarded_table.h"
#if defined(GESTALT_WITH_SIMT)
#include "tests/simt/table.h"
#endif

namespace gestalt::cases {
namespace {

std::vector<uint64_t> bits(const Tensor& tensor) {
  std::vector<uint64_t> result;
  for (double value : tensor.to_vector<double>()) result.push_back(std::bit_cast<uint64_t>(value));
  return result;
}

std::vector<uint64_t> draw(DType dtype, Device device) {
  Generator generator(20260101);
  std::vector<uint64_t> values =
      bits(generator.normal({10007}, 0.25, 1.5, {.dtype = dtype, .device = device}));
  const std::vector<uint64_t> uniform =
      bits(generator.uniform({10007}, -0.3, 0.7, {.dtype = dtype, .device = device}));
  values.insert(values.end(), uniform.begin(), uniform.end());
  return values;
}

constexpr DType device_dtypes[] = {DType::f32, DType::bf16, DType::f16};

#if defined(GESTALT_WITH_SIMT)
TEST(RandomBits, AreTheSameUnderTheSimtExecutor) {
  for (DType dtype : device_dtypes) {
    const std::vector<uint64_t> expected = draw(dtype, {});
    const UseTable use(simt_kernels());
    EXPECT_EQ(draw(dtype, {}), expected) << to_string(dtype);
  }
}
#endif

TEST(RandomBits, AreTheSameOnCuda) {
  const Device cuda{DeviceType::cuda, 0};
  GESTALT_NEEDS_DEVICE(cuda);
  for (DType dtype : device_dtypes) {
    EXPECT_EQ(draw(dtype, cuda), draw(dtype, {})) << to_string(dtype);
  }
}

}  // namespace
}  // namespace gestalt::cases
