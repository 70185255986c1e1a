// Comparisons of elements, and choices by them.

#include <type_traits>

#include "kernels/cpu/elementwise.h"
#include "kernels/cpu/kernels.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

template <class F>
void compare_by(const View& a, const View& b, const View& y, const F& holds) {
  dispatch<AllTypes>("compare", a, [&]<class T>(std::type_identity<T>) {
    using Compared = std::conditional_t<sizeof(T) == 2, float, T>;
    elementwise<uint8_t, T, T>(
        [&holds](T left, T right) {
          return static_cast<uint8_t>(
              holds(static_cast<Compared>(left), static_cast<Compared>(right)));
        },
        y, a, b);
  });
}

}  // namespace

void compare(Context&, const View& a, const View& b, Comparison comparison, const View& y) {
  switch (comparison) {
    case Comparison::greater:
      return compare_by(a, b, y, [](auto a, auto b) { return a > b; });
    case Comparison::greater_equal:
      return compare_by(a, b, y, [](auto a, auto b) { return a >= b; });
    case Comparison::equal:
      return compare_by(a, b, y, [](auto a, auto b) { return a == b; });
  }
}

// a is taken where it is the NaN, b where no comparison with it holds.
void maximum(Context&, const View& a, const View& b, const View& y) {
  elementwise_lanes(
      "maximum", [](auto a, auto b) { return ((a > b) | (a != a)) ? a : b; }, y, a, b);
}

void minimum(Context&, const View& a, const View& b, const View& y) {
  elementwise_lanes(
      "minimum", [](auto a, auto b) { return ((a < b) | (a != a)) ? a : b; }, y, a, b);
}

void maximum_backward(Context&, const View& dy, const View& a, const View& b, const View& da) {
  elementwise_lanes(
      "maximum_backward",
      [](auto dy, auto a, auto b) {
        const decltype(dy) none{}, half = dy * LaneElement<decltype(dy)>(0.5);
        const decltype(dy) passed = a < b ? none : dy;
        return a == b ? half : passed;
      },
      da, dy, a, b);
}

void where(Context&, const View& condition, const View& a, const View& b, const View& y) {
  dispatch<AllTypes>("where", y, [&]<class T>(std::type_identity<T>) {
    using Moved = Stored<T>;  // numbers, between which the compiler chooses by vectors
    elementwise<Moved, uint8_t, Moved, Moved>(
        [](uint8_t chosen, Moved left, Moved right) { return chosen != 0 ? left : right; }, y,
        condition, a, b);
  });
}

}  // namespace gestalt::cpu
