// Kernels that take i64 beside floating types: exact, on every backend.

#include <cmath>
#include <cstdint>
#include <gtest/gtest.h>
#include <limits>
#include <optional>
#include <string>
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

enum class Backend { cpu, simt, cuda };  // simt: CUDA's kernels on the CPU

class Integers : public testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (GetParam() == Backend::cuda) device_ = {DeviceType::cuda, 0};
    GESTALT_NEEDS_DEVICE(device_);
#if defined(GESTALT_WITH_SIMT)
    if (GetParam() == Backend::simt) table_.emplace(simt_kernels());
#else
    if (GetParam() == Backend::simt) GTEST_SKIP() << "built without the SIMT executor";
#endif
  }

  Device device_;

 private:
  std::optional<UseTable> table_;
};

TEST_P(Integers, AddScalarIsExact) {
  const int64_t large = (int64_t{1} << 60) + 1;  // no double
  for (const int64_t size : {1, 5, 1000}) {
    std::vector<int64_t> values(size, large), expected(size, large - 3);
    const Tensor x = Tensor::from_vector(values, {size}, {.device = device_});
    Context& ctx = context(device_);
    ctx.kernels().add_scalar(ctx, x.view(), -3, x.view());
    EXPECT_EQ(x.to_vector<int64_t>(), expected);
  }
}

TEST_P(Integers, FloatsSaturate) {
  const float huge = 3e19f, infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values{
      0.9f, -0.9f, -1.5f,    255.9f,    256, 300, -300, 1e10f, -9223372036854775808.0f,
      huge, -huge, infinity, -infinity, NAN};
  constexpr int64_t least = INT64_MIN, most = INT64_MAX;
  const std::vector<int64_t> as_i64{0,           0,     -1,   255,   256,  300,   -300,
                                    10000000000, least, most, least, most, least, 0};
  const std::vector<uint8_t> as_u8{0, 0, 0, 255, 255, 255, 0, 255, 0, 255, 0, 255, 0, 0};
  const auto size = static_cast<int64_t>(values.size());
  const Tensor x = Tensor::from_vector(values, {size}, {.device = device_});
  EXPECT_EQ(x.to(DType::i64).to_vector<int64_t>(), as_i64);
  EXPECT_EQ(x.to(DType::u8).to_vector<uint8_t>(), as_u8);
  // bf16 rounds 255.9 to 256 and 1e10 to a multiple of 2^26.
  const Tensor rounded = x.to(DType::bf16);
  EXPECT_EQ(rounded.to(DType::u8).to_vector<uint8_t>(), as_u8);
  EXPECT_EQ(rounded.to(DType::i64).to_vector<int64_t>(),
            rounded.to(DType::f32).to(DType::i64).to_vector<int64_t>());
  const Tensor filled = Tensor::empty({2}, {.dtype = DType::u8, .device = device_}).fill_(1e6);
  EXPECT_EQ(filled.to_vector<uint8_t>(), std::vector<uint8_t>(2, 255));
}

std::string name_of(const testing::TestParamInfo<Backend>& info) {
  const char* names[] = {"cpu", "simt", "cuda"};
  return names[static_cast<int>(info.param)];
}
INSTANTIATE_TEST_SUITE_P(Backends, Integers,
                         testing::Values(Backend::cpu, Backend::simt, Backend::cuda), name_of);

}  // namespace
}  // namespace gestalt::cases
