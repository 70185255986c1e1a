// Gram matrices under the SIMT executor: sizes around tiles and chunks, the symmetry to the bit,
// and the same bits for every schedule.

#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "kernels/cuda/kernels.h"
#include "kernels/runtime.h"
#include "tests/simt/executor.h"
#include "tests/simt/guarded_buffer.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

View dense(float* data, const Shape& shape) {
  return {data, DType::f32, Device{}, shape, strides_of(shape, Format::contiguous)};
}

void check_gram(int64_t batch, int64_t rows, int64_t length) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> x(batch * rows * length), dy(batch * rows * rows);
  for (float& value : x) value = normal(random);
  for (float& value : dy) value = normal(random);
  std::vector<float> first;
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    simt::set_seed(seed);
    simt::GuardedBuffer<float> y(dy.size()), dx(x.size());
    gram_forward(*context, dense(x.data(), {batch, rows, length}), 0.5,
                 dense(y.data(), {batch, rows, rows}));
    gram_backward(*context, dense(dy.data(), {batch, rows, rows}),
                  dense(x.data(), {batch, rows, length}), 0.5,
                  dense(dx.data(), {batch, rows, length}));
    ASSERT_TRUE(y.intact() && dx.intact());
    std::vector<float> bits(y.data(), y.data() + dy.size());
    bits.insert(bits.end(), dx.data(), dx.data() + x.size());
    if (seed > 1) {
      ASSERT_TRUE(bits == first) << "another schedule gave other bits";
    }
    first = bits;
    for (int64_t b = 0; b < batch; ++b) {
      const float* xb = x.data() + b * rows * length;
      const float* dyb = dy.data() + b * rows * rows;
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < rows; ++j) {
          double sum = 0;
          for (int64_t l = 0; l < length; ++l) {
            sum += static_cast<double>(xb[i * length + l]) * xb[j * length + l];
          }
          const float got = y[(b * rows + i) * rows + j];
          ASSERT_TRUE(std::abs(got - 0.5 * sum) <= 1e-6 * static_cast<double>(length + 10))
              << rows << 'x' << length << " at " << i << ' ' << j;
          ASSERT_EQ(got, y[(b * rows + j) * rows + i]);
        }
        for (int64_t l = 0; l < length; ++l) {
          double sum = 0;
          for (int64_t j = 0; j < rows; ++j) {
            sum +=
                (static_cast<double>(dyb[i * rows + j]) + dyb[j * rows + i]) * xb[j * length + l];
          }
          const float got = dx[(b * rows + i) * length + l];
          ASSERT_TRUE(std::abs(got - 0.5 * sum) <= 1e-6 * static_cast<double>(rows + 10))
              << rows << 'x' << length << " gradient at " << i << ' ' << l;
        }
      }
    }
  }
}

TEST(Gram, SizesAroundTilesAndChunks) {
  check_gram(1, 1, 1);
  check_gram(2, 31, 33);
  check_gram(1, 65, 40);
  check_gram(1, 64, 1100);
  check_gram(1, 130, 70);
  check_gram(1, 3, 1024);
  check_gram(2, 5, 2049);
  check_gram(1, 2, 0);
  check_gram(0, 4, 4);
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
