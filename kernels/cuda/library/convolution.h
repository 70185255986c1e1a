#pragma once

// The table's convolutions by a library that takes Conv2dProblems (internal to kernels/ and its
// tests): conv2d.cpp gives them to cuDNN, tests/simt to a stand-in of it. convolve(context,
// problem, arrays) is the library's; bias, activation and Top-K stay ours.

#include <limits>

#include "kernels/context.h"
#include "kernels/cuda/conv2d_bias.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/library/conv2d_problem.h"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

// function(x, y, begin) for parts of the batch that 32-bit offsets can reach.
template <class Function>
void for_each_part(gestalt::cuda::Conv2dDirection direction, const View& x, const View& y,
                   const Function& function) {
  const auto images = [](const View& view, int64_t begin, int64_t count) {
    View part = view;
    part.shape[0] = count;
    part.data = view.as<char>() + begin * view.strides[0] * size_of(view.dtype);
    return part;
  };
  const int64_t largest = std::max(x.numel(), y.numel()) / x.shape[0];
  const int64_t most = std::numeric_limits<int>::max() / std::max<int64_t>(largest, 1);
  GESTALT_CHECK(most > 0, "[{}] one image of {} elements is more than cuDNN takes",
                name_of(direction), largest);
  for (int64_t begin = 0; begin < x.shape[0]; begin += most) {
    const int64_t count = std::min(most, x.shape[0] - begin);
    function(images(x, begin, count), images(y, begin, count), begin);
  }
}

// cuDNN has kernels that add the bias and rectify, but only slow ones of them promise to keep NaN.
template <class Convolve>
void conv2d_forward_by(const Convolve& convolve, Context& context, const View& x, const View& w,
                       const View* bias, const View& y, const Conv2dDesc& desc) {
  using namespace gestalt::cuda;
  if (y.numel() == 0) return;
  constexpr auto direction = Conv2dDirection::forward;
  if (x.numel() == 0) {
    fill(context, 0, y);
  } else {
    for_each_part(direction, x, y, [&](const View& x, const View& y, int64_t) {
      convolve(context, make_problem(context, direction, x, w, y, desc), {x.data, w.data, y.data});
    });
  }
  if (desc.topk) {
    relu_topk_forward(context, y, bias, y, *desc.topk);
  } else if (bias != nullptr || desc.activation != Activation::none) {
    add_bias_and_activate(context, bias, desc.activation, y);
  }
}

template <class Convolve>
void conv2d_backward_data_by(const Convolve& convolve, Context& context, const View& dy,
                             const View& w, const View& dx, const Conv2dDesc& desc) {
  using namespace gestalt::cuda;
  if (dx.numel() == 0) return;
  if (dy.numel() == 0) {
    fill(context, 0, dx);
    return;
  }
  constexpr auto direction = Conv2dDirection::backward_data;
  for_each_part(direction, dx, dy, [&](const View& dx, const View& dy, int64_t) {
    convolve(context, make_problem(context, direction, dx, w, dy, desc),
             {dx.data, w.data, dy.data});
  });
}

// The parts share the weights: their gradient is the parts' sum.
template <class Convolve>
void conv2d_backward_weights_by(const Convolve& convolve, Context& context, const View& dy,
                                const View& x, const View& dw, const Conv2dDesc& desc) {
  using namespace gestalt::cuda;
  if (dw.numel() == 0) return;
  if (dy.numel() == 0 || x.numel() == 0) {
    fill(context, 0, dw);
    return;
  }
  constexpr auto direction = Conv2dDirection::backward_weights;
  for_each_part(direction, x, dy, [&](const View& x, const View& dy, int64_t begin) {
    Conv2dProblem problem = make_problem(context, direction, x, dw, dy, desc);
    problem.accumulates = begin > 0;
    convolve(context, problem, {x.data, dw.data, dy.data});
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
