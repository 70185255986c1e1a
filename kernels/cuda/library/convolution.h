#pragma once

// The table's convolutions by a library that takes Conv2dProblems (internal to kernels/ and its
// tests): conv2d.cpp gives them to cuDNN, tests/simt to a stand-in of it. A library has
//
//   bool has(const Conv2dProblem&)  whether it does this one, with its bias and activation
//   void run(const Conv2dProblem&, const Conv2dArrays&)

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

// Bias and activation stay within the library's kernel where it has one for that: a pass over y
// less. A Top-K takes them into its own.
template <class Library>
void conv2d_forward_by(Library&& library, Context& context, const View& x, const View& w,
                       const View* bias, const View& y, const Conv2dDesc& desc) {
  using namespace gestalt::cuda;
  if (y.numel() == 0) return;
  const bool has_epilogue = !desc.topk && (bias != nullptr || desc.activation != Activation::none);
  for_each_part(Conv2dDirection::forward, x, y, [&](const View& x, const View& y, int64_t) {
    const Conv2dProblem plain = make_problem(context, Conv2dDirection::forward, x, w, y, desc);
    if (has_epilogue && (bias == nullptr || bias->is_contiguous())) {
      Conv2dProblem whole = plain;
      whole.activation = desc.activation;
      if (bias != nullptr) {
        whole.has_bias = true;
        whole.alignment = std::min(whole.alignment, alignment_of(bias->data));
      }
      if (library.has(whole)) {
        library.run(whole, {x.data, w.data, y.data, bias == nullptr ? nullptr : bias->data});
        return;
      }
    }
    library.run(plain, {x.data, w.data, y.data});
    if (desc.topk) {
      relu_topk_forward(context, y, bias, y, *desc.topk);
    } else if (has_epilogue) {
      add_bias_and_activate(context, bias, desc.activation, y);
    }
  });
}

template <class Library>
void conv2d_backward_data_by(Library&& library, Context& context, const View& dy, const View& w,
                             const View& dx, const Conv2dDesc& desc) {
  using namespace gestalt::cuda;
  if (dx.numel() == 0) return;
  if (dy.numel() == 0) {
    fill(context, 0, dx);
    return;
  }
  constexpr auto direction = Conv2dDirection::backward_data;
  for_each_part(direction, dx, dy, [&](const View& dx, const View& dy, int64_t) {
    library.run(make_problem(context, direction, dx, w, dy, desc), {dx.data, w.data, dy.data});
  });
}

// The parts share the weights: their gradient is the parts' sum.
template <class Library>
void conv2d_backward_weights_by(Library&& library, Context& context, const View& dy, const View& x,
                                const View& dw, const Conv2dDesc& desc) {
  using namespace gestalt::cuda;
  if (dw.numel() == 0) return;
  if (dy.numel() == 0) {
    fill(context, 0, dw);
    return;
  }
  constexpr auto direction = Conv2dDirection::backward_weights;
  for_each_part(direction, x, dy, [&](const View& x, const View& dy, int64_t begin) {
    Conv2dProblem problem = make_problem(context, direction, x, dw, dy, desc);
    problem.accumulates = begin > 0;
    library.run(problem, {x.data, dw.data, dy.data});
  });
}

}  // namespace GESTALT_CUDA_NAMESPACE
