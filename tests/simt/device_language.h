#pragma once

// What nvcc adds to C++, for the host's compiler: included by force (-include) where launchers and
// device code are compiled for the SIMT executor. Static __shared__ is left out on purpose (see
// kernels/cuda/device/shared.cuh), and so is whatever not every supported chip has.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#include "tests/simt/executor.h"

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline
#define __launch_bounds__(...)

// Functions that tell the executor themselves what they access (access_hooks.h).
#define GESTALT_SIMT_UNSEEN __attribute__((no_sanitize("thread")))

extern dim3 threadIdx, blockIdx, blockDim, gridDim;
inline constexpr int warpSize = 32;

// ---- vector types ----

struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) {
  return {x, y, z, w};
}

// ---- arithmetic ----

template <class T>
requires std::is_arithmetic_v<T>
constexpr T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
requires std::is_arithmetic_v<T>
constexpr T max(T a, T b) {
  return a < b ? b : a;
}

inline int __popc(unsigned value) {
  return std::popcount(value);
}
inline int __popcll(unsigned long long value) {
  return std::popcount(value);
}
inline int __clz(int value) {
  return std::countl_zero(static_cast<unsigned>(value));
}
inline int __clzll(long long value) {
  return std::countl_zero(static_cast<unsigned long long>(value));
}
inline int __ffs(int value) {
  return value == 0 ? 0 : std::countr_zero(static_cast<unsigned>(value)) + 1;
}
inline int __ffsll(long long value) {
  return value == 0 ? 0 : std::countr_zero(static_cast<unsigned long long>(value)) + 1;
}
inline unsigned __brev(unsigned value) {
  unsigned reversed = 0;
  for (int bit = 0; bit < 32; ++bit) reversed |= (value >> bit & 1u) << (31 - bit);
  return reversed;
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}
inline unsigned __float_as_uint(float value) {
  return std::bit_cast<unsigned>(value);
}
inline int __float_as_int(float value) {
  return std::bit_cast<int>(value);
}
inline float __uint_as_float(unsigned bits) {
  return std::bit_cast<float>(bits);
}
inline float __int_as_float(int bits) {
  return std::bit_cast<float>(bits);
}
inline float __fmaf_rn(float a, float b, float c) {
  return std::fma(a, b, c);
}
inline float __fmul_rn(float a, float b) {
  return a * b;
}
inline float __fadd_rn(float a, float b) {
  return a + b;
}
inline float __fdiv_rn(float a, float b) {
  return a / b;
}
inline float __fsqrt_rn(float a) {
  return std::sqrt(a);
}

template <class T>
T __ldg(const T* pointer) {
  return *pointer;
}

// ---- barriers ----

inline void __syncthreads(std::source_location where = std::source_location::current()) {
  gestalt::simt::block_barrier(false, where);
}
inline int __syncthreads_count(int predicate,
                               std::source_location where = std::source_location::current()) {
  return gestalt::simt::block_barrier(predicate != 0, where);
}
inline int __syncthreads_or(int predicate,
                            std::source_location where = std::source_location::current()) {
  return gestalt::simt::block_barrier(predicate != 0, where) > 0;
}
inline int __syncthreads_and(int predicate,
                             std::source_location where = std::source_location::current()) {
  return gestalt::simt::block_barrier(predicate == 0, where) == 0;
}
inline void __syncwarp(unsigned mask = 0xffffffffu,
                       std::source_location where = std::source_location::current()) {
  using enum gestalt::simt::WarpOperation;
  gestalt::simt::warp_operation(sync, mask, 0, 0, where);
}
inline void __threadfence_block() {
  gestalt::simt::maybe_yield();
}
inline void __threadfence() {
  gestalt::simt::maybe_yield();
}

// ---- warp operations ----

namespace gestalt::simt {

template <class T>
T shuffle(unsigned mask, T value, int source, std::source_location where) {
  static_assert(sizeof(T) <= 8 && std::is_arithmetic_v<T>);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = warp_operation(WarpOperation::shuffle, mask, bits, source, where);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace gestalt::simt

template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32,
              std::source_location where = std::source_location::current()) {
  const int segment = gestalt::simt::lane() / width * width;
  return gestalt::simt::shuffle(mask, value, segment + (source & (width - 1)), where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 std::source_location where = std::source_location::current()) {
  const int lane = gestalt::simt::lane(), source = lane - static_cast<int>(delta);
  return gestalt::simt::shuffle(mask, value, source >= lane / width * width ? source : lane, where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   std::source_location where = std::source_location::current()) {
  const int lane = gestalt::simt::lane(), source = lane + static_cast<int>(delta);
  return gestalt::simt::shuffle(mask, value, source / width == lane / width ? source : lane, where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  std::source_location where = std::source_location::current()) {
  const int lane = gestalt::simt::lane(), source = lane ^ lane_mask;
  // A lane reads its own and earlier segments; from later ones it gets its own value.
  return gestalt::simt::shuffle(mask, value, source / width <= lane / width ? source : lane, where);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              std::source_location where = std::source_location::current()) {
  using enum gestalt::simt::WarpOperation;
  return static_cast<unsigned>(
      gestalt::simt::warp_operation(ballot, mask, predicate != 0, 0, where));
}
inline int __any_sync(unsigned mask, int predicate,
                      std::source_location where = std::source_location::current()) {
  return __ballot_sync(mask, predicate, where) != 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      std::source_location where = std::source_location::current()) {
  return __ballot_sync(mask, predicate, where) == mask;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value,
                          std::source_location where = std::source_location::current()) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  using enum gestalt::simt::WarpOperation;
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return static_cast<unsigned>(gestalt::simt::warp_operation(match, mask, bits, 0, where));
}

// ---- atomics on global memory; those on shared memory are in the shadow of shared.cuh ----

namespace gestalt::simt {

template <class T, class F>
GESTALT_SIMT_UNSEEN T atomically(T* pointer, const F& change) {
  maybe_yield();
  global_access(pointer, sizeof(T), alignof(T), Access::atomic);
  const T old = *pointer;
  *pointer = change(old);
  return old;
}

}  // namespace gestalt::simt

#define GESTALT_SIMT_ATOMICS(POINTER)                                                            \
  template <class T>                                                                             \
  T atomicAdd(POINTER pointer, std::type_identity_t<T> value) {                                  \
    return gestalt::simt::atomically(pointer, [=](T old) { return old + value; });               \
  }                                                                                              \
  template <class T>                                                                             \
  T atomicSub(POINTER pointer, std::type_identity_t<T> value) {                                  \
    return gestalt::simt::atomically(pointer, [=](T old) { return old - value; });               \
  }                                                                                              \
  template <class T>                                                                             \
  T atomicMax(POINTER pointer, std::type_identity_t<T> value) {                                  \
    return gestalt::simt::atomically(pointer, [=](T old) { return max(old, value); });           \
  }                                                                                              \
  template <class T>                                                                             \
  T atomicMin(POINTER pointer, std::type_identity_t<T> value) {                                  \
    return gestalt::simt::atomically(pointer, [=](T old) { return min(old, value); });           \
  }                                                                                              \
  template <class T>                                                                             \
  T atomicAnd(POINTER pointer, std::type_identity_t<T> value) {                                  \
    return gestalt::simt::atomically(pointer, [=](T old) { return old & value; });               \
  }                                                                                              \
  template <class T>                                                                             \
  T atomicOr(POINTER pointer, std::type_identity_t<T> value) {                                   \
    return gestalt::simt::atomically(pointer, [=](T old) { return old | value; });               \
  }                                                                                              \
  template <class T>                                                                             \
  T atomicExch(POINTER pointer, std::type_identity_t<T> value) {                                 \
    return gestalt::simt::atomically(pointer, [=](T) { return value; });                         \
  }                                                                                              \
  template <class T>                                                                             \
  T atomicCAS(POINTER pointer, std::type_identity_t<T> compare, std::type_identity_t<T> value) { \
    return gestalt::simt::atomically(pointer,                                                    \
                                     [=](T old) { return old == compare ? value : old; });       \
  }

GESTALT_SIMT_ATOMICS(T*)
