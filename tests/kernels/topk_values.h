#pragma once

// Rows of any bits in every floating type, for the tests of Top-K.

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "tests/float_bits.h"
#include "tests/kernels/view_of.h"

namespace gestalt::cpu {

using tests::Bits;
using tests::bits_of;
using tests::from_bits;
using tests::infinity_bits;
using tests::sign_bit;
using tests::view_of;

inline constexpr double inf = std::numeric_limits<double>::infinity();
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

template <class T>
T make(double value) {
  if constexpr (std::is_same_v<T, double>) return value;
  return T(static_cast<float>(value));
}

template <class T>
std::vector<double> values_of(const std::vector<T>& row) {
  std::vector<double> values;
  for (T x : row) values.push_back(static_cast<double>(x));
  return values;
}

template <class T>
bool same_bits(T a, T b) {
  return bits_of(a) == bits_of(b);
}

template <class T>
std::vector<T> gaussian(int64_t length, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<T> row(length);
  for (T& x : row) x = make<T>(normal(engine));
  return row;
}

inline View mask_view(std::vector<uint8_t>& mask, int64_t rows) {
  return view_of(mask, {rows, std::ssize(mask) / std::max<int64_t>(rows, 1)});
}

template <class T>
std::vector<T> to_channels_last(const std::vector<T>& x, const Shape& s) {
  std::vector<T> y(x.size());
  for (int64_t n = 0; n < s[0]; ++n) {
    for (int64_t c = 0; c < s[1]; ++c) {
      for (int64_t p = 0; p < s[2] * s[3]; ++p) {
        y[(n * s[2] * s[3] + p) * s[1] + c] = x[(n * s[1] + c) * s[2] * s[3] + p];
      }
    }
  }
  return y;
}

}  // namespace gestalt::cpu
