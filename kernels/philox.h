#pragma once

// Philox4x32-10, the counter-based generator of Salmon et al. 2011, "Parallel random numbers: as
// easy as 1, 2, 3". The same header serves the CPU, nvcc and the SIMT executor.
//
// The value of element i of a random op is a pure function of (seed, offset, i): block i / 4 of the
// stream, word i % 4. `offset` counts ops, so that no two ops of a generator share a block.
//
// Every float operation here rounds once and by name, so that no compiler may fuse or reorder it:
// the CPU and the GPU give the same bits. That rules out logf, sinf and cosf, which differ.

#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define GESTALT_HOST_DEVICE __host__ __device__
#else
#define GESTALT_HOST_DEVICE
#endif

namespace gestalt {

struct PhiloxState {
  uint64_t seed = 0;
  uint64_t offset = 0;
};

struct PhiloxBlock {
  uint32_t word[4];
};

GESTALT_HOST_DEVICE inline PhiloxBlock philox(PhiloxState state, uint64_t block) {
  uint32_t c0 = static_cast<uint32_t>(block), c1 = static_cast<uint32_t>(block >> 32);
  uint32_t c2 = static_cast<uint32_t>(state.offset), c3 = static_cast<uint32_t>(state.offset >> 32);
  uint32_t k0 = static_cast<uint32_t>(state.seed), k1 = static_cast<uint32_t>(state.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0;
    const uint64_t p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// 24 random bits as a float in [0, 1): exact, so the same everywhere.
GESTALT_HOST_DEVICE inline float philox_uniform(uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

// IEEE operations, rounded to nearest, that nvcc does not contract.
namespace rounded {

#if defined(__CUDA_ARCH__)
__device__ inline float fma(float a, float b, float c) {
  return __fmaf_rn(a, b, c);
}
__device__ inline float multiply(float a, float b) {
  return __fmul_rn(a, b);
}
__device__ inline float add(float a, float b) {
  return __fadd_rn(a, b);
}
__device__ inline float divide(float a, float b) {
  return __fdiv_rn(a, b);
}
__device__ inline float sqrt(float a) {
  return __fsqrt_rn(a);
}
#else
GESTALT_HOST_DEVICE inline float fma(float a, float b, float c) {
  return std::fma(a, b, c);
}
GESTALT_HOST_DEVICE inline float multiply(float a, float b) {
  return a * b;
}
GESTALT_HOST_DEVICE inline float add(float a, float b) {
  return a + b;
}
GESTALT_HOST_DEVICE inline float divide(float a, float b) {
  return a / b;
}
GESTALT_HOST_DEVICE inline float sqrt(float a) {
  return std::sqrt(a);
}
#endif

}  // namespace rounded

// Uniform in [low, high): `largest` is the largest value of the output's type below `high`
// (largest_below in kernels/random.h); without it the product could round up to `high`.
GESTALT_HOST_DEVICE inline float philox_uniform(uint32_t word, float low, float high,
                                                float largest) {
  const float value = rounded::fma(philox_uniform(word), rounded::add(high, -low), low);
  return value < largest ? value : largest;
}

// -log(u) in [0, 22.9], u = (word + 1/2) / 2^32 rounded to a float: the series of 2 artanh(s), s =
// (m - 1) / (m + 1), over the mantissa m in [sqrt(1/2), sqrt(2)); the first term left out is below
// 1e-9.
GESTALT_HOST_DEVICE inline float philox_exponential(uint32_t word) {
  // 2^32 u as m * 2^e. The sum's float bits give both by integer arithmetic; sqrt(1/2) has the
  // bits 0x3F3504F3.
  const float scaled = rounded::add(static_cast<float>(word), 0.5f);
  union {
    float value;
    uint32_t bits;
  } number = {scaled};
  const uint32_t shifted = number.bits - 0x3F3504F3u;
  const int32_t exponent = static_cast<int32_t>(shifted) >> 23;
  number.bits = (shifted & 0x007FFFFFu) + 0x3F3504F3u;
  const float m = number.value;
  const float s = rounded::divide(rounded::add(m, -1.0f), rounded::add(m, 1.0f));
  const float s2 = rounded::multiply(s, s);
  float series = rounded::fma(s2, 2.0f / 9, 2.0f / 7);
  series = rounded::fma(s2, series, 2.0f / 5);
  series = rounded::fma(s2, series, 2.0f / 3);
  const float log_m = rounded::fma(rounded::multiply(s, s2), series, rounded::multiply(2.0f, s));
  // ln 2 in two parts: the first has few bits, so that its product with the exponent is exact.
  const float e = static_cast<float>(32 - exponent);
  return rounded::fma(e, 0.693359375f, rounded::fma(e, -2.12194440e-4f, -log_m));
}

// sin and cos of 2 pi word / 2^32. The quadrant is taken off in integers, exactly; the rest is at
// most pi/4, where the Taylor series to x^9 and x^10 are good to 2e-9.
GESTALT_HOST_DEVICE inline void philox_sincos(uint32_t word, float& sine, float& cosine) {
  const uint32_t quadrant = (word + 0x20000000u) >> 30;
  const int32_t rest = static_cast<int32_t>(word - (quadrant << 30));
  const float x = rounded::multiply(static_cast<float>(rest), 1.57079632679f * 0x1p-30f);
  const float x2 = rounded::multiply(x, x);
  float s = rounded::fma(x2, 1.0f / 362880, -1.0f / 5040);
  s = rounded::fma(x2, s, 1.0f / 120);
  s = rounded::fma(x2, s, -1.0f / 6);
  s = rounded::fma(rounded::multiply(x, x2), s, x);
  float c = rounded::fma(x2, -1.0f / 3628800, 1.0f / 40320);
  c = rounded::fma(x2, c, -1.0f / 720);
  c = rounded::fma(x2, c, 1.0f / 24);
  c = rounded::fma(x2, c, -0.5f);
  c = rounded::fma(x2, c, 1.0f);
  const bool swapped = quadrant & 1u;
  const float a = swapped ? c : s;
  const float b = swapped ? s : c;
  sine = quadrant & 2u ? -a : a;
  cosine = ((quadrant + 1u) & 2u) ? -b : b;
}

struct PhiloxNormals {
  float value[2];
};

// Two independent standard normal values from two words (Box and Muller 1958); |value| < 6.8.
GESTALT_HOST_DEVICE inline PhiloxNormals philox_normal(uint32_t radius_word, uint32_t angle_word) {
  const float radius = rounded::sqrt(rounded::multiply(2.0f, philox_exponential(radius_word)));
  float sine, cosine;
  philox_sincos(angle_word, sine, cosine);
  return {{rounded::multiply(radius, cosine), rounded::multiply(radius, sine)}};
}

// The standard normal values of a whole block: elements 4 block .. 4 block + 3.
GESTALT_HOST_DEVICE inline void philox_normal(const PhiloxBlock& block, float (&value)[4]) {
  const PhiloxNormals a = philox_normal(block.word[0], block.word[1]);
  const PhiloxNormals b = philox_normal(block.word[2], block.word[3]);
  value[0] = a.value[0];
  value[1] = a.value[1];
  value[2] = b.value[0];
  value[3] = b.value[1];
}

// mean + deviation * a standard normal value, before it is rounded to the output's type.
GESTALT_HOST_DEVICE inline float philox_scale_normal(float value, float mean, float deviation) {
  return rounded::fma(value, deviation, mean);
}

}  // namespace gestalt
