#pragma once

// gram_tiles.h over an instruction set, in an unnamed namespace for the reason that topk_simd.h
// gives. 4 x columns accumulators stay in registers; every load feeds several multiply-adds.
//
// Isa: Vector, lanes, columns; zero, load, broadcast, store, multiply_add, add_sums (to[c] += the
// sum of the lanes of vector c).

#include "kernels/cpu/gram_tiles.h"

namespace gestalt::cpu {
namespace {

template <class Isa>
void dots_simd(const float* a, int64_t rows_a, const float* b, int64_t rows_b, int64_t length,
               bool lower, double* sums) {
  constexpr int columns = Isa::columns;
  for (int64_t i = 0; i < rows_a; i += 4) {
    const int64_t last = lower && i + 4 < rows_b ? i + 4 : rows_b;
    for (int64_t j = 0; j < last; j += columns) {
      typename Isa::Vector sum[4][columns];
      for (int r = 0; r < 4; ++r) {
        for (int c = 0; c < columns; ++c) sum[r][c] = Isa::zero();
      }
      for (int64_t l = 0; l < length; l += Isa::lanes) {
        typename Isa::Vector right[columns];
        for (int c = 0; c < columns; ++c) right[c] = Isa::load(b + (j + c) * length + l);
        for (int r = 0; r < 4; ++r) {
          const auto left = Isa::load(a + (i + r) * length + l);
          for (int c = 0; c < columns; ++c) {
            sum[r][c] = Isa::multiply_add(left, right[c], sum[r][c]);
          }
        }
      }
      for (int r = 0; r < 4; ++r) Isa::add_sums(sum[r], sums + (i + r) * gram_tile + j);
    }
  }
}

template <class Isa>
void product_simd(const float* s, const float* x, int64_t depth, float* y) {
  constexpr int columns = Isa::columns;
  for (int64_t first = 0; first < gram_tile; first += columns * Isa::lanes) {
    typename Isa::Vector sum[4][columns];
    for (int r = 0; r < 4; ++r) {
      for (int c = 0; c < columns; ++c) sum[r][c] = Isa::zero();
    }
    for (int64_t j = 0; j < depth; ++j) {
      typename Isa::Vector right[columns];
      for (int c = 0; c < columns; ++c) {
        right[c] = Isa::load(x + j * gram_tile + first + c * Isa::lanes);
      }
      for (int r = 0; r < 4; ++r) {
        const auto left = Isa::broadcast(s[j * 4 + r]);
        for (int c = 0; c < columns; ++c) sum[r][c] = Isa::multiply_add(left, right[c], sum[r][c]);
      }
    }
    for (int r = 0; r < 4; ++r) {
      for (int c = 0; c < columns; ++c) {
        Isa::store(y + r * gram_tile + first + c * Isa::lanes, sum[r][c]);
      }
    }
  }
}

}  // namespace
}  // namespace gestalt::cpu
