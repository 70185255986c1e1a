#pragma once

// The inner products of Gram matrices over packed f32 blocks. Our own and not a BLAS, because the
// result must be symmetric to the bit, half of it need not be computed, and a fixed order of sums
// makes it the same for any number of threads.

#include <cstdint>

namespace gestalt::cpu {

inline constexpr int64_t gram_tile = 64;    // rows of a block; also the columns of a panel
inline constexpr int64_t gram_block = 512;  // elements of a row that are summed in f32

struct GramTiles {
  // sums[i * gram_tile + j] += sum over l of a[i, l] * b[j, l]; a[rows_a, length], b[rows_b,
  // length]. Rows are multiples of 4, length of 16 and at most gram_block. Where `lower`, only
  // what stands on or below the diagonal is of use.
  void (*dots)(const float* a, int64_t rows_a, const float* b, int64_t rows_b, int64_t length,
               bool lower, double* sums);
  // y[4, gram_tile] = s[depth, 4]^T x[depth, gram_tile]
  void (*product)(const float* s, const float* x, int64_t depth, float* y);
};

const GramTiles& gram_tiles_avx2();
const GramTiles& gram_tiles_avx512();  // only where has_avx512()

}  // namespace gestalt::cpu
