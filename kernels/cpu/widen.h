#pragma once

// widened(x) and narrowed<T>(sum): an element in the type that it is accumulated in, and back, as
// the constructors of kernels/types.h round. f16 takes the processor's instructions, which are many
// times as fast; they make a signaling NaN a quiet one.

#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "kernels/dispatch.h"

namespace gestalt::cpu {

template <class T>
accumulate_t<T> widened(T x) {
#if defined(__F16C__)
  if constexpr (std::is_same_v<T, float16>) return _cvtsh_ss(x.bits);
#endif
  return static_cast<accumulate_t<T>>(x);
}

template <class T>
T narrowed(accumulate_t<T> sum) {
#if defined(__F16C__)
  if constexpr (std::is_same_v<T, float16>) {
    float16 half;
    half.bits = _cvtss_sh(sum, _MM_FROUND_TO_NEAREST_INT);
    return half;
  }
#endif
  return T(sum);
}

}  // namespace gestalt::cpu
