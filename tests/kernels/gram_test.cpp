// Gram matrices on the CPU: accuracy over long rows, symmetry to the bit, any number of threads;
// both instruction sets.

#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "kernels/cpu/features.h"
#include "kernels/cpu/gram_tiles.h"
#include "kernels/parallel.h"
#include "kernels/runtime.h"
#include "kernels/table.h"
#include "tests/kernels/view_of.h"

namespace gestalt::cpu {
namespace {

using tests::view_of;

std::vector<float> positive(int64_t count, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::uniform_real_distribution<float> uniform(0, 3);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(engine);
  return values;
}

class GramTest : public testing::Test {
 public:
  std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  const KernelTable& kernels = cpu_runtime.kernels;

  std::vector<float> gram(std::vector<float>& x, const Shape& shape, double scale) {
    const Shape out{shape[0], shape[1], shape[1]};
    std::vector<float> y(out.numel(), 77);
    kernels.gram_forward(*context, view_of(x, shape), scale, view_of(y, out));
    return y;
  }
  std::vector<float> gradient(std::vector<float>& dy, std::vector<float>& x, const Shape& shape) {
    std::vector<float> dx(x.size(), 77);
    kernels.gram_backward(*context, view_of(dy, {shape[0], shape[1], shape[1]}), view_of(x, shape),
                          0.5, view_of(dx, shape));
    return dx;
  }
};

const Shape shapes[] = {{1, 64, 65536}, {2, 3, 1},     {1, 65, 700},
                        {2, 130, 49},   {1, 300, 513}, {1, 1, 100}};

TEST_F(GramTest, LongRowsKeepSixDigits) {
  for (const Shape& shape : shapes) {
    std::vector<float> x = positive(shape.numel(), 1);
    const int64_t rows = shape[1], length = shape[2];
    const std::vector<float> y = gram(x, shape, 1.0 / length);
    for (int64_t b = 0; b < shape[0]; ++b) {
      for (int64_t i = 0; i < rows; i += 1 + rows / 16) {
        for (int64_t j = 0; j < rows; j += 1 + rows / 9) {
          double sum = 0;
          for (int64_t l = 0; l < length; ++l) {
            sum += static_cast<double>(x[(b * rows + i) * length + l]) *
                   x[(b * rows + j) * length + l];
          }
          sum /= length;
          const double error = std::abs(y[(b * rows + i) * rows + j] - sum) / sum;
          ASSERT_TRUE(error <= 3e-7) << to_string(shape) << i << ',' << j << ": " << error;
        }
      }
    }
  }
}

TEST_F(GramTest, SymmetricToTheBitAndThreadsDoNotMatter) {
  const int threads = num_threads();
  for (const Shape& shape : shapes) {
    std::vector<float> x = positive(shape.numel(), 2);
    std::vector<float> dy = positive(shape[0] * shape[1] * shape[1], 3);
    const int64_t rows = shape[1];
    set_num_threads(2);
    const std::vector<float> y = gram(x, shape, 0.25), dx = gradient(dy, x, shape);
    set_num_threads(1);
    EXPECT_EQ(y, gram(x, shape, 0.25));
    EXPECT_EQ(dx, gradient(dy, x, shape));
    set_num_threads(5);
    EXPECT_EQ(y, gram(x, shape, 0.25));
    EXPECT_EQ(dx, gradient(dy, x, shape));
    set_num_threads(threads);
    for (int64_t b = 0; b < shape[0]; ++b) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < i; ++j) {
          ASSERT_EQ(y[(b * rows + i) * rows + j], y[(b * rows + j) * rows + i]);
        }
      }
    }
  }
}

TEST_F(GramTest, GradientIsTheSymmetricPartTimesTheInput) {
  for (const Shape& shape : shapes) {
    std::vector<float> x = positive(shape.numel(), 4);
    std::vector<float> dy = positive(shape[0] * shape[1] * shape[1], 5);
    const int64_t rows = shape[1], length = shape[2];
    const std::vector<float> dx = gradient(dy, x, shape);
    for (int64_t b = 0; b < shape[0]; ++b) {
      for (int64_t i = 0; i < rows; i += 1 + rows / 16) {
        for (int64_t l = 0; l < length; l += 1 + length / 40) {
          double sum = 0;
          for (int64_t j = 0; j < rows; ++j) {
            sum += 0.5 *
                   (static_cast<double>(dy[(b * rows + i) * rows + j]) +
                    dy[(b * rows + j) * rows + i]) *
                   x[(b * rows + j) * length + l];
          }
          const double error = std::abs(dx[(b * rows + i) * length + l] - sum) / sum;
          ASSERT_TRUE(error <= 1e-6) << to_string(shape) << i << ',' << l << ": " << error;
        }
      }
    }
  }
}

TEST(GramTilesTest, BothInstructionSetsAgree) {
  if (!has_avx512()) GTEST_SKIP() << "no AVX-512 on this machine";
#if defined(__AVX2__)
  const std::vector<float> a = positive(gram_tile * 48, 6), b = positive(gram_tile * 48, 7);
  std::vector<double> wide(gram_tile * gram_tile), narrow(gram_tile * gram_tile);
  gram_tiles_avx512().dots(a.data(), 64, b.data(), 60, 48, false, wide.data());
  gram_tiles_avx2().dots(a.data(), 64, b.data(), 60, 48, false, narrow.data());
  for (size_t i = 0; i < wide.size(); ++i) ASSERT_NEAR(wide[i], narrow[i], 1e-4);
  std::vector<float> wide_product(4 * gram_tile), narrow_product(4 * gram_tile);
  gram_tiles_avx512().product(a.data(), b.data(), 48, wide_product.data());
  gram_tiles_avx2().product(a.data(), b.data(), 48, narrow_product.data());
  EXPECT_EQ(wide_product, narrow_product);
#endif
}

}  // namespace
}  // namespace gestalt::cpu
