#pragma once

// Elements as their bits, for launchers whose kernels move them and compute nothing: one kernel a
// size instead of one a type.

#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/cuda/namespace.h"
#include "kernels/to_integer.h"
#include "kernels/types.h"

namespace GESTALT_CUDA_NAMESPACE {

// Calls f with the unsigned integer of the elements' size.
template <class F>
void dispatch_size(DType dtype, const F& f) {
  switch (size_of(dtype)) {
    case 1:
      return f(std::type_identity<uint8_t>{});
    case 2:
      return f(std::type_identity<uint16_t>{});
    case 4:
      return f(std::type_identity<uint32_t>{});
    default:
      return f(std::type_identity<uint64_t>{});
  }
}

// The bits of `value` as an element of `dtype`.
inline uint64_t bits_of(double value, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return std::bit_cast<uint32_t>(static_cast<float>(value));
    case DType::bf16:
      return bfloat16(static_cast<float>(value)).bits;
    case DType::f16:
      return float16(static_cast<float>(value)).bits;
    case DType::f64:
      return std::bit_cast<uint64_t>(value);
    case DType::i64:
      return static_cast<uint64_t>(to_integer<int64_t>(value));
    default:
      return to_integer<uint8_t>(value);
  }
}

}  // namespace GESTALT_CUDA_NAMESPACE
