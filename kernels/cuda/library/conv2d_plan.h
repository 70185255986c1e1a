#pragma once

// How a convolution is given to cuDNN: descriptors, an algorithm, a workspace.

#include <array>
#include <utility>

#include "kernels/context.h"
#include "kernels/cuda/library/check.h"
#include "kernels/cuda/library/handles.h"
#include "kernels/descriptors.h"
#include "kernels/types.h"

namespace gestalt::cuda::convolution {

// A cuDNN descriptor that destroys itself.
template <class T, auto Cudnn::*create, auto Cudnn::*destroy>
class Descriptor {
 public:
  Descriptor() { check((cudnn().*create)(&descriptor_), "cuDNN descriptor"); }
  Descriptor(Descriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (descriptor_ != nullptr) check_or_log((cudnn().*destroy)(descriptor_), "cuDNN descriptor");
  }
  operator T() const { return descriptor_; }

 private:
  T descriptor_ = nullptr;
};

using TensorDescriptor = Descriptor<cudnnTensorDescriptor_t, &Cudnn::cudnnCreateTensorDescriptor,
                                    &Cudnn::cudnnDestroyTensorDescriptor>;
using FilterDescriptor = Descriptor<cudnnFilterDescriptor_t, &Cudnn::cudnnCreateFilterDescriptor,
                                    &Cudnn::cudnnDestroyFilterDescriptor>;
using ConvolutionDescriptor =
    Descriptor<cudnnConvolutionDescriptor_t, &Cudnn::cudnnCreateConvolutionDescriptor,
               &Cudnn::cudnnDestroyConvolutionDescriptor>;

// All that a plan is made from.
struct Problem {
  std::array<int, 4> x, w, y;
  DType dtype;
  Format format;
  std::array<int, 2> stride, padding, dilation;
  int groups;
  bool exact;
  auto operator<=>(const Problem&) const = default;
};

struct Plan {
  TensorDescriptor x, y;
  FilterDescriptor w;
  ConvolutionDescriptor convolution;
  int algorithm = 0;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
  size_t workspace_bytes = 0;
};

inline constexpr float one = 1, zero = 0;

// The three directions: cuDNN's names and argument orders for the same three descriptors and
// arrays. run: the output is the product plus `keep` (one or zero) times what it was.
struct Forward {
  static constexpr const char* name = "conv2d_forward";
  using Algorithm = cudnnConvolutionFwdAlgo_t;
  using Candidate = cudnnConvolutionFwdAlgoPerf_t;
  static constexpr int algorithms = CUDNN_CONVOLUTION_FWD_ALGO_COUNT;
  static bool inexact(Algorithm a) {
    return a == CUDNN_CONVOLUTION_FWD_ALGO_FFT || a == CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING ||
           a == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD ||
           a == CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED;
  }
  static cudnnStatus_t rank(cudnnHandle_t handle, const Plan& plan, int* count, Candidate* found) {
    return cudnn().cudnnGetConvolutionForwardAlgorithm_v7(handle, plan.x, plan.w, plan.convolution,
                                                          plan.y, algorithms, count, found);
  }
  static cudnnStatus_t workspace(cudnnHandle_t handle, const Plan& plan, Algorithm algorithm,
                                 size_t* bytes) {
    return cudnn().cudnnGetConvolutionForwardWorkspaceSize(handle, plan.x, plan.w, plan.convolution,
                                                           plan.y, algorithm, bytes);
  }
  static cudnnStatus_t run(cudnnHandle_t handle, const Plan& plan, void* workspace, const void* x,
                           const void* w, void* y, const float* keep) {
    return cudnn().cudnnConvolutionForward(handle, &one, plan.x, x, plan.w, w, plan.convolution,
                                           static_cast<Algorithm>(plan.algorithm), workspace,
                                           plan.workspace_bytes, keep, plan.y, y);
  }
};

struct BackwardData {
  static constexpr const char* name = "conv2d_backward_data";
  using Algorithm = cudnnConvolutionBwdDataAlgo_t;
  using Candidate = cudnnConvolutionBwdDataAlgoPerf_t;
  static constexpr int algorithms = CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT;
  static bool inexact(Algorithm a) {
    return a == CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT ||
           a == CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING ||
           a == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD ||
           a == CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED;
  }
  static cudnnStatus_t rank(cudnnHandle_t handle, const Plan& plan, int* count, Candidate* found) {
    return cudnn().cudnnGetConvolutionBackwardDataAlgorithm_v7(
        handle, plan.w, plan.y, plan.convolution, plan.x, algorithms, count, found);
  }
  static cudnnStatus_t workspace(cudnnHandle_t handle, const Plan& plan, Algorithm algorithm,
                                 size_t* bytes) {
    return cudnn().cudnnGetConvolutionBackwardDataWorkspaceSize(
        handle, plan.w, plan.y, plan.convolution, plan.x, algorithm, bytes);
  }
  static cudnnStatus_t run(cudnnHandle_t handle, const Plan& plan, void* workspace, void* dx,
                           const void* w, const void* dy, const float* keep) {
    return cudnn().cudnnConvolutionBackwardData(
        handle, &one, plan.w, w, plan.y, dy, plan.convolution,
        static_cast<Algorithm>(plan.algorithm), workspace, plan.workspace_bytes, keep, plan.x, dx);
  }
};

struct BackwardWeights {
  static constexpr const char* name = "conv2d_backward_weights";
  using Algorithm = cudnnConvolutionBwdFilterAlgo_t;
  using Candidate = cudnnConvolutionBwdFilterAlgoPerf_t;
  static constexpr int algorithms = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT;
  static bool inexact(Algorithm a) {
    return a == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT ||
           a == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING ||
           a == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD ||
           a == CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED;
  }
  static cudnnStatus_t rank(cudnnHandle_t handle, const Plan& plan, int* count, Candidate* found) {
    return cudnn().cudnnGetConvolutionBackwardFilterAlgorithm_v7(
        handle, plan.x, plan.y, plan.convolution, plan.w, algorithms, count, found);
  }
  static cudnnStatus_t workspace(cudnnHandle_t handle, const Plan& plan, Algorithm algorithm,
                                 size_t* bytes) {
    return cudnn().cudnnGetConvolutionBackwardFilterWorkspaceSize(
        handle, plan.x, plan.y, plan.convolution, plan.w, algorithm, bytes);
  }
  static cudnnStatus_t run(cudnnHandle_t handle, const Plan& plan, void* workspace, const void* x,
                           void* dw, const void* dy, const float* keep) {
    return cudnn().cudnnConvolutionBackwardFilter(
        handle, &one, plan.x, x, plan.y, dy, plan.convolution,
        static_cast<Algorithm>(plan.algorithm), workspace, plan.workspace_bytes, keep, plan.w, dw);
  }
};

// x, w and y all contiguous or all channels-last; sizes that fit cuDNN's 32 bits. `name`: what an
// error calls it.
Problem make_problem(const Context& context, const char* name, const View& x, const View& w,
                     const View& y, const Conv2dDesc& desc);

// The descriptors of a problem; no algorithm.
Plan describe(const char* name, const Problem& problem);

// With the algorithm that the library takes; made once for a context.
template <class Direction>
const Plan& plan_for(Context& context, const Problem& problem);

}  // namespace gestalt::cuda::convolution
