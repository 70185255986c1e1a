#include <cstring>
#include <type_traits>

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"
#include "kernels/dispatch.h"
#include "kernels/to_integer.h"

namespace gestalt::cpu {

namespace {

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<To, bfloat16> || std::is_same_v<To, float16>) {
    return To(static_cast<float>(value));
  } else if constexpr (std::is_same_v<From, bfloat16> || std::is_same_v<From, float16>) {
    return convert<To>(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
    return to_integer<To>(value);
  } else {
    return static_cast<To>(value);
  }
}

bool same_dense_layout(const View& x, const View& y) {
  return x.dtype == y.dtype && ((x.is_contiguous() && y.is_contiguous()) ||
                                (x.is_channels_last() && y.is_channels_last()));
}

}  // namespace

void copy(Context&, const View& x, const View& y) {
  if (same_dense_layout(x, y)) {
    if (x.numel() > 0) std::memmove(y.data, x.data, x.numel() * size_of(x.dtype));
    return;
  }
  dispatch<AllTypes>("copy", x, [&]<class From>(std::type_identity<From>) {
    dispatch<AllTypes>("copy", y, [&]<class To>(std::type_identity<To>) {
      elementwise<To, From>([](From value) { return convert<To>(value); }, y, x);
    });
  });
}

void fill(Context&, double value, const View& y) {
  dispatch<AllTypes>("fill", y, [&]<class T>(std::type_identity<T>) {
    const T element = convert<T>(value);
    elementwise<T>([element] { return element; }, y);
  });
}

}  // namespace gestalt::cpu
