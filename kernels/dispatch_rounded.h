#pragma once

// Dispatch for kernels whose result may have 16 bits where they take f32 (internal to kernels/).
//   dispatch_rounded<FloatTypes>("spectral_norm_forward", w, y,
//                                [&]<class T, class Y>(std::type_identity<T>,
//                                std::type_identity<Y>) {
//                                  ...
//                                });

#include "kernels/dispatch.h"

namespace gestalt {

// f of the types of `wide` and `rounded`: one type, or f32 and a type of 16 bits; throws for
// others.
template <class List, class F>
void dispatch_rounded(const char* kernel, const View& wide, const View& rounded, F&& f) {
  dispatch<List>(kernel, wide, [&]<class T>(std::type_identity<T> type) {
    if (rounded.dtype == wide.dtype) {
      f(type, type);
    } else if constexpr (std::is_same_v<T, float>) {
      dispatch<TypeList<bfloat16, float16>>(kernel, rounded, [&](auto other) { f(type, other); });
    } else {
      GESTALT_CHECK(false, "[{}] no kernel from {} to {}", kernel, wide.dtype, rounded.dtype);
    }
  });
}

}  // namespace gestalt
