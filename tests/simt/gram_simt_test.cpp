// Gram matrices under the SIMT executor: sizes around tiles and chunks, the symmetry to the bit,
// and the same bits for every schedule; the symmetric part of a gradient, which no table entry that
// the executor can run has.

#include <cmath>
#include <gtest/gtest.h>
#include <random>

#include "kernels/cuda/gram.h"
#include "kernels/cuda/kernels.h"
#include "kernels/runtime.h"
#include "tests/simt/executor.h"
#include "tests/simt/guarded_buffer.h"

namespace GESTALT_CUDA_NAMESPACE {
namespace {

constexpr int schedules = 20;

template <class T>
std::vector<T> normal_values(int64_t count) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<T> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(T(normal(random)));
  return values;
}

template <class T>
View dense(T* data, const Shape& shape) {
  return {data, dtype_of<T>, Device{}, shape, strides_of(shape, Format::contiguous)};
}

// The same bits under all schedules; run(output).
template <class T, class Run>
std::vector<T> under_schedules(int64_t count, const Run& run) {
  std::vector<T> first;
  for (int seed = 1; seed <= schedules; ++seed) {
    simt::set_seed(static_cast<uint64_t>(seed));
    simt::GuardedBuffer<T> output(static_cast<size_t>(count));
    run(output.data());
    EXPECT_TRUE(output.intact());
    const std::vector<T> values(output.data(), output.data() + count);
    if (seed == 1) first = values;
    for (int64_t i = 0; i < count; ++i) {
      EXPECT_EQ(static_cast<float>(values[i]), static_cast<float>(first[i]))
          << "another schedule gave other bits at " << i;
    }
  }
  return first;
}

// `offset`: elements by which x misses its alignment.
template <class T>
void check_gram(int64_t batch, int64_t rows, int64_t length, int64_t offset = 0) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  std::vector<T> memory = normal_values<T>(batch * rows * length + offset);
  const T* x = memory.data() + offset;
  const std::vector<T> y = under_schedules<T>(batch * rows * rows, [&](T* output) {
    gram_forward(*context, dense(memory.data() + offset, {batch, rows, length}), 0.5,
                 dense(output, {batch, rows, rows}));
  });
  const double unit = std::is_same_v<T, float> ? 1e-6 : std::is_same_v<T, float16> ? 5e-4 : 4e-3;
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < rows; ++j) {
        double sum = 0, norm = 0;
        for (int64_t l = 0; l < length; ++l) {
          const double left = static_cast<float>(x[(b * rows + i) * length + l]);
          const double product = left * static_cast<float>(x[(b * rows + j) * length + l]);
          sum += product, norm += std::abs(product);
        }
        const float got = y[(b * rows + i) * rows + j];
        ASSERT_TRUE(std::abs(got - 0.5 * sum) <= unit * (0.5 * std::abs(sum)) + 1e-6 * norm)
            << rows << 'x' << length << " at " << i << ' ' << j;
        ASSERT_EQ(got, static_cast<float>(y[(b * rows + j) * rows + i]));
      }
    }
  }
}

TEST(Gram, SizesAroundTilesAndChunks) {
  check_gram<float>(1, 1, 1);
  check_gram<float>(2, 31, 33);
  check_gram<float>(1, 65, 40);
  check_gram<float>(1, 64, 1100);
  check_gram<float>(1, 130, 72);
  check_gram<float>(1, 3, 1024);
  check_gram<float>(2, 5, 2049);
  check_gram<float>(1, 2, 0);
  check_gram<float>(0, 4, 4);
}

// Threads share the sum over chunks.
TEST(Gram, ManyChunks) {
  check_gram<float>(1, 2, 1040);
  check_gram<float>(1, 66, 64 * 20);
  check_gram<float>(1, 3, 64 * 150);
}

TEST(Gram, SixteenBitsAndAlignment) {
  check_gram<bfloat16>(1, 66, 72);
  check_gram<float16>(2, 9, 160);
  check_gram<bfloat16>(1, 9, 76);     // rows that do not begin at 16 bytes
  check_gram<bfloat16>(1, 9, 72, 1);  // nor does the array
  check_gram<float>(1, 9, 72, 1);
}

template <class T>
void check_symmetrize(int64_t batch, int64_t rows, bool transposed) {
  const std::unique_ptr<Context> context = cpu_runtime.make_context(0);
  std::vector<T> dy = normal_values<T>(batch * rows * rows);
  View view = dense(dy.data(), {batch, rows, rows});
  if (transposed) std::swap(view.strides[1], view.strides[2]);
  const std::vector<T> y = under_schedules<T>(batch * rows * rows, [&](T* output) {
    gram_symmetrize(*context, view, dense(output, {batch, rows, rows}));
  });
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < rows; ++j) {
        const auto at = [&](int64_t r, int64_t c) {
          return 0.5f * static_cast<float>(dy[(b * rows + r) * rows + c]);
        };
        ASSERT_EQ(static_cast<float>(y[(b * rows + i) * rows + j]),
                  static_cast<float>(T(at(i, j) + at(j, i))));
      }
    }
  }
}

TEST(Gram, SymmetricPartOfTheGradient) {
  check_symmetrize<float>(1, 1, false);
  check_symmetrize<float>(2, 33, false);
  check_symmetrize<float>(1, 65, true);
  check_symmetrize<bfloat16>(1, 32, false);
  check_symmetrize<float16>(2, 40, false);
  check_symmetrize<float>(0, 5, false);
  check_symmetrize<float>(3, 0, false);
}

}  // namespace
}  // namespace GESTALT_CUDA_NAMESPACE
