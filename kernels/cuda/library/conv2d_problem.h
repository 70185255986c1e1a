#pragma once

// A convolution as a library is asked for it (internal to kernels/ and its tests): everything that
// the choice of an algorithm depends on, and the arrays it is given.

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>

#include "kernels/context.h"
#include "kernels/descriptors.h"
#include "kernels/error.h"
#include "kernels/types.h"

namespace gestalt::cuda {

enum class Conv2dDirection : uint8_t { forward, backward_data, backward_weights };

inline const char* name_of(Conv2dDirection direction) {
  switch (direction) {
    case Conv2dDirection::forward:
      return "conv2d_forward";
    case Conv2dDirection::backward_data:
      return "conv2d_backward_data";
    case Conv2dDirection::backward_weights:
      return "conv2d_backward_weights";
  }
  return "?";
}

// x[N,C,H,W], w[K,C/groups,R,S] and y[N,K,P,Q] of the forward convolution, or their gradients: the
// direction says which one is the result.
struct Conv2dProblem {
  Conv2dDirection direction = Conv2dDirection::forward;
  std::array<int64_t, 4> x{}, w{}, y{};
  DType dtype = DType::f32;
  Format format = Format::contiguous;
  std::array<int64_t, 2> stride{1, 1}, padding{0, 0}, dilation{1, 1};
  bool exact = false;
  bool accumulates = false;  // the result is added to what is there
  int64_t alignment = 16;    // in bytes, of every array

  auto operator<=>(const Conv2dProblem&) const = default;
};

struct Conv2dArrays {
  void *x, *w, *y;
};

// The largest power of two, up to 16, that divides the address: kernels that load 16 bytes at once
// need no more.
inline int64_t alignment_of(const void* address) {
  return int64_t{1} << std::min(4, std::countr_zero(reinterpret_cast<uintptr_t>(address)));
}

// "x f32[2,8,9,9], w [8,8,3,3], y [2,8,9,9], contiguous, stride 1x1 ...", for messages.
inline std::string to_string(const Conv2dProblem& problem) {
  const auto pair = [](const std::array<int64_t, 2>& values) {
    return format("{}x{}", values[0], values[1]);
  };
  return format("x {}{}, w {}, y {}, {}, stride {}, padding {}, dilation {}{}", problem.dtype,
                to_string(Shape(problem.x)), to_string(Shape(problem.w)),
                to_string(Shape(problem.y)), problem.format, pair(problem.stride),
                pair(problem.padding), pair(problem.dilation), problem.exact ? ", exact" : "");
}

// Of dense arrays, all contiguous or all channels-last. What is both, as of images of one pixel,
// goes as channels-last, for tensor cores, but exact.
inline Conv2dProblem make_problem(const Context& context, Conv2dDirection direction, const View& x,
                                  const View& w, const View& y, const Conv2dDesc& desc) {
  const bool contiguous = x.is_contiguous() && w.is_contiguous() && y.is_contiguous();
  const bool channels_last = x.is_channels_last() && w.is_channels_last() && y.is_channels_last();
  GESTALT_CHECK(contiguous || channels_last,
                "[{}] input, weight and output must all be contiguous or all channels_last",
                name_of(direction));
  GESTALT_CHECK(x.dtype == DType::f32 || x.dtype == DType::bf16 || x.dtype == DType::f16,
                "[{}] no cuda kernel for {}", name_of(direction), x.dtype);
  const auto sizes = [](const View& view) {
    return std::array{view.shape[0], view.shape[1], view.shape[2], view.shape[3]};
  };
  return {
      .direction = direction,
      .x = sizes(x),
      .w = sizes(w),
      .y = sizes(y),
      .dtype = x.dtype,
      .format = channels_last && !(contiguous && context.exact()) ? Format::channels_last
                                                                  : Format::contiguous,
      .stride = {desc.stride[0], desc.stride[1]},
      .padding = {desc.padding[0], desc.padding[1]},
      .dilation = {desc.dilation[0], desc.dilation[1]},
      .exact = context.exact(),
      .alignment = std::min({alignment_of(x.data), alignment_of(w.data), alignment_of(y.data)})};
}

}  // namespace gestalt::cuda
