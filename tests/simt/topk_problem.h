#pragma once

// Problems for Top-K, [n, c, 1, length] in logical order, and what must come out.

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "tests/float_bits.h"
#include "tests/ref/topk.h"

namespace gestalt::simt {

using tests::Bits;
using tests::bits_of;
using tests::from_bits;
using tests::infinity_bits;
using tests::sign_bit;

// Values of one row; every kind is one that some method of selection gets wrong.
enum class Kind {
  gaussian,
  relu,         // often fewer than k non-zero
  few_values,   // thousands of ties
  equal,        // ties across every border
  zero,         //
  mixed_zeros,  // +0 and -0 tie
  one,          // a single non-zero
  last_bit,     // keys that differ in the last bit alone
  one_bin,      // keys with the same leading bits
  smooth,
  special,   // inf, NaN of both signs and several payloads
  denormal,  // the smallest
};

template <class T>
T value_of(Kind kind, int64_t i, int64_t length, std::mt19937& random) {
  std::normal_distribution<float> normal;
  const auto word = static_cast<uint32_t>(random());
  const uint32_t sign = word % 2 == 0 ? sign_bit<T> : 0u;
  switch (kind) {
    case Kind::gaussian:
      return T(normal(random));
    case Kind::relu:
      return T(std::max(normal(random) - 0.5f, 0.0f));
    case Kind::few_values:
      return T(static_cast<float>(static_cast<int>(word % 5) - 2));
    case Kind::equal:
      return T(0.75f);
    case Kind::zero:
      return T(0.0f);
    case Kind::mixed_zeros:
      return word % 8 == 0 ? T(1.5f) : from_bits<T>(sign);
    case Kind::one:
      return T(i == length * 2 / 3 ? -3.0f : 0.0f);
    case Kind::last_bit:
      return from_bits<T>((bits_of(T(1.0f)) | (word >> 8 & 1u)) + sign);
    case Kind::one_bin:
      return from_bits<T>((bits_of(T(1.0f)) | (word >> 8 & (sizeof(T) == 2 ? 15u : 1023u))) + sign);
    case Kind::smooth:
      return T(std::sin(0.01f * static_cast<float>(i)));
    case Kind::special:
      if (word % 7 == 0) return from_bits<T>(infinity_bits<T> | sign);
      if (word % 7 == 1) return from_bits<T>((infinity_bits<T> + 1 + (word >> 8) % 60) | sign);
      return T(normal(random));
    default:
      return from_bits<T>((word >> 8) % 9 + sign);
  }
}

template <class T>
struct Problem {
  int64_t n, c, length;
  std::vector<T> x;

  int64_t rows() const { return n * c; }
  const T* row(int64_t r) const { return x.data() + r * length; }
  std::vector<double> row_values(int64_t r) const {
    std::vector<double> values;
    for (int64_t i = 0; i < length; ++i) values.push_back(static_cast<float>(row(r)[i]));
    return values;
  }
  int64_t mask_words() const { return (length + 31) / 32; }  // a row
  Shape shape() const { return {n, c, 1, length}; }
  // Where logical element (row, i) lies.
  int64_t offset(Format format, int64_t r, int64_t i) const {
    if (format == Format::contiguous) return r * length + i;
    return (r / c * length + i) * c + r % c;
  }
  std::vector<T> laid_out(Format format) const {
    std::vector<T> laid(x.size());
    for (int64_t r = 0; r < rows(); ++r) {
      for (int64_t i = 0; i < length; ++i) laid[offset(format, r, i)] = row(r)[i];
    }
    return laid;
  }
};

template <class T>
Problem<T> make_problem(int64_t n, int64_t c, int64_t length, Kind kind, unsigned seed = 1) {
  std::mt19937 random(seed);
  Problem<T> p{n, c, length, {}};
  for (int64_t i = 0; i < n * c * length; ++i) {
    p.x.push_back(value_of<T>(kind, i % length, length, random));
  }
  return p;
}

// Rows of `others`, of which `count` at random places are `value`.
template <class T>
Problem<T> make_counted(int64_t n, int64_t c, int64_t length, T value, int64_t count, T others) {
  std::mt19937 random(static_cast<unsigned>(count));
  Problem<T> p{n, c, length, {}};
  for (int64_t r = 0; r < n * c; ++r) {
    std::vector<T> x(static_cast<size_t>(length), others);
    std::fill_n(x.begin(), count, value);
    std::shuffle(x.begin(), x.end(), random);
    p.x.insert(p.x.end(), x.begin(), x.end());
  }
  return p;
}

// What Top-K makes of it: whether each element passes, in logical order.
template <class T>
std::vector<bool> passing(const Problem<T>& p, int64_t k, bool reverse) {
  std::vector<bool> passes;
  for (int64_t r = 0; r < p.rows(); ++r) {
    for (const bool kept : ref::topk_mask(p.row_values(r), k)) passes.push_back(kept != reverse);
  }
  return passes;
}

}  // namespace gestalt::simt
