#pragma once

// Typed dispatch at a kernel's entry:
//   dispatch<FloatTypes>("topk_forward", x, [&]<class T>(std::type_identity<T>) { ... });

#include <type_traits>

#include "kernels/error.h"
#include "kernels/types.h"

namespace gestalt {

template <class... Ts>
struct TypeList {};

using FloatTypes = TypeList<float, bfloat16, float16, double>;
using DeviceFloatTypes = TypeList<float, bfloat16, float16>;
using AllTypes = TypeList<float, bfloat16, float16, double, int64_t, uint8_t>;

// Calls f(std::type_identity<T>{}) for the T of `like.dtype`; throws where the list does not have
// it.
template <class... Ts, class F>
void dispatch_types(TypeList<Ts...>, const char* kernel, const View& like, F&& f) {
  const bool found =
      ((like.dtype == dtype_of<Ts> ? (f(std::type_identity<Ts>{}), true) : false) || ...);
  GESTALT_CHECK(found, "[{}] no {} kernel for {}", kernel, to_string(like.device.type), like.dtype);
}

template <class List, class F>
void dispatch(const char* kernel, const View& like, F&& f) {
  dispatch_types(List{}, kernel, like, static_cast<F&&>(f));
}

// The type in which sums over T are accumulated.
template <class T>
using accumulate_t = std::conditional_t<std::is_same_v<T, double>, double, float>;

}  // namespace gestalt
