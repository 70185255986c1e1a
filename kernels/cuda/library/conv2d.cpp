// Convolution and its gradients by cuDNN.
//
// The algorithm is the first of cuDNN's own ranking (a rule, not a timing) that is deterministic
// and needs at most workspace_limit bytes: the same shapes give the same bits on the same device
// and cuDNN. f32 may be multiplied as TF32 unless the context is exact, as in PyTorch; exact also
// forbids Winograd and FFT. bf16 and f16 are multiplied by tensor cores and summed in f32.

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/cuda/conv2d_bias.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/library/check.h"
#include "kernels/cuda/library/handles.h"

namespace gestalt::cuda {
namespace {

constexpr size_t workspace_limit = size_t{1} << 30;

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
  size_t workspace_bytes = 0;
};

// The three directions: cuDNN's names and argument orders for the same three descriptors.
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
};

template <class Direction>
struct PlanCache {
  std::map<Problem, Plan> plans;
};

int checked_int(const char* name, int64_t value) {
  GESTALT_CHECK(value >= 0 && value <= std::numeric_limits<int>::max(),
                "[{}] a size of {} is more than cuDNN takes", name, value);
  return static_cast<int>(value);
}

std::array<int, 4> sizes(const char* name, const View& view) {
  std::array<int, 4> result;
  for (int i = 0; i < 4; ++i) result[i] = checked_int(name, view.shape[i]);
  return result;
}

std::array<int, 2> pair(const char* name, const Pair& values) {
  return {checked_int(name, values[0]), checked_int(name, values[1])};
}

Problem make_problem(const Context& context, const char* name, const View& x, const View& w,
                     const View& y, const Conv2dDesc& desc) {
  const bool contiguous = x.is_contiguous() && w.is_contiguous() && y.is_contiguous();
  GESTALT_CHECK(
      contiguous || (x.is_channels_last() && w.is_channels_last() && y.is_channels_last()),
      "[{}] input, weight and output must all be contiguous or all channels_last", name);
  return {.x = sizes(name, x),
          .w = sizes(name, w),
          .y = sizes(name, y),
          .dtype = x.dtype,
          .format = contiguous ? Format::contiguous : Format::channels_last,
          .stride = pair(name, desc.stride),
          .padding = pair(name, desc.padding),
          .dilation = pair(name, desc.dilation),
          .groups = checked_int(name, desc.groups),
          .exact = context.exact()};
}

cudnnDataType_t data_type(const char* name, DType dtype) {
  switch (dtype) {
    case DType::f32:
      return CUDNN_DATA_FLOAT;
    case DType::bf16:
      return CUDNN_DATA_BFLOAT16;
    case DType::f16:
      return CUDNN_DATA_HALF;
    default:
      throw Error(format("[{}] no cuda kernel for {}", name, dtype));
  }
}

// What cuDNN may do with the factors of a product. Its default for f32 is TF32 where the device has
// that; FMA is f32 alone.
cudnnMathType_t math_type(const Problem& problem) {
  if (problem.dtype != DType::f32) return CUDNN_TENSOR_OP_MATH;
  return problem.exact ? CUDNN_FMA_MATH : CUDNN_DEFAULT_MATH;
}

template <class Direction>
Plan make_plan(Context& context, const Problem& problem) {
  const char* name = Direction::name;
  const cudnnDataType_t type = data_type(name, problem.dtype);
  const cudnnMathType_t math = math_type(problem);
  const cudnnTensorFormat_t layout =
      problem.format == Format::contiguous ? CUDNN_TENSOR_NCHW : CUDNN_TENSOR_NHWC;
  const auto& [x, w, y] = std::tie(problem.x, problem.w, problem.y);

  Plan plan;
  check(cudnn().cudnnSetTensor4dDescriptor(plan.x, layout, type, x[0], x[1], x[2], x[3]), name);
  check(cudnn().cudnnSetTensor4dDescriptor(plan.y, layout, type, y[0], y[1], y[2], y[3]), name);
  check(cudnn().cudnnSetFilter4dDescriptor(plan.w, type, layout, w[0], w[1], w[2], w[3]), name);
  check(cudnn().cudnnSetConvolution2dDescriptor(
            plan.convolution, problem.padding[0], problem.padding[1], problem.stride[0],
            problem.stride[1], problem.dilation[0], problem.dilation[1], CUDNN_CROSS_CORRELATION,
            CUDNN_DATA_FLOAT),
        name);
  check(cudnn().cudnnSetConvolutionGroupCount(plan.convolution, problem.groups), name);
  check(cudnn().cudnnSetConvolutionMathType(plan.convolution, math), name);

  const cudnnHandle_t handle = cudnn_handle(context);
  std::array<typename Direction::Candidate, Direction::algorithms> candidates{};
  int count = 0;
  check(Direction::rank(handle, plan, &count, candidates.data()), name);
  for (const auto& candidate : std::span(candidates.data(), count)) {
    if (candidate.status != CUDNN_STATUS_SUCCESS) continue;
    if (candidate.determinism != CUDNN_DETERMINISTIC) continue;
    if (problem.exact && Direction::inexact(candidate.algo)) continue;
    // The ranking names algorithm and math type together. Exact f32 keeps FMA whatever it says, and
    // f32 is never converted to f16.
    if (candidate.mathType == CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION) continue;
    check(cudnn().cudnnSetConvolutionMathType(plan.convolution,
                                              math == CUDNN_FMA_MATH ? math : candidate.mathType),
          name);
    size_t bytes = 0;
    if (Direction::workspace(handle, plan, candidate.algo, &bytes) != CUDNN_STATUS_SUCCESS)
      continue;
    if (bytes > workspace_limit) continue;
    plan.algorithm = candidate.algo;
    plan.workspace_bytes = bytes;
    return plan;
  }
  throw Error(
      format("[{}] cuDNN has no deterministic{} algorithm for x {}[{},{},{},{}], weight "
             "[{},{},{},{}] ({}, groups {})",
             name, problem.exact ? " exact" : "", problem.dtype, x[0], x[1], x[2], x[3], w[0], w[1],
             w[2], w[3], problem.format, problem.groups));
}

template <class Direction>
const Plan& plan_for(Context& context, const Problem& problem) {
  auto& plans = context.state<PlanCache<Direction>>().plans;
  const auto found = plans.find(problem);
  if (found != plans.end()) return found->second;
  return plans.emplace(problem, make_plan<Direction>(context, problem)).first->second;
}

View images(const View& view, int64_t begin, int64_t count) {
  View part = view;
  part.shape[0] = count;
  part.data = view.as<char>() + begin * view.strides[0] * size_of(view.dtype);
  return part;
}

// Calls run(plan, algorithm, workspace, x, y, first) on parts of the batch that cuDNN's 32-bit
// offsets can reach; the weights are shared by all parts.
template <class Direction, class Run>
void for_each_part(Context& context, const View& x, const View& w, const View& y,
                   const Conv2dDesc& desc, const Run& run) {
  const int64_t largest = std::max(x.numel(), y.numel()) / x.shape[0];
  const int64_t most = std::numeric_limits<int>::max() / std::max<int64_t>(largest, 1);
  GESTALT_CHECK(most > 0, "[{}] one image of {} elements is more than cuDNN takes", Direction::name,
                largest);
  for (int64_t begin = 0; begin < x.shape[0]; begin += most) {
    const int64_t count = std::min(most, x.shape[0] - begin);
    const View part_x = images(x, begin, count), part_y = images(y, begin, count);
    const Plan& plan = plan_for<Direction>(
        context, make_problem(context, Direction::name, part_x, w, part_y, desc));
    void* workspace = plan.workspace_bytes > 0 ? context.workspace(plan.workspace_bytes) : nullptr;
    check(run(plan, static_cast<typename Direction::Algorithm>(plan.algorithm), workspace,
              part_x.data, part_y.data, begin == 0),
          Direction::name);
  }
}

constexpr float one = 1, zero = 0;

}  // namespace

void conv2d_forward(Context& context, const View& x, const View& w, const View* bias, const View& y,
                    const Conv2dDesc& desc) {
  if (y.numel() == 0) return;
  const cudnnHandle_t handle = cudnn_handle(context);
  for_each_part<Forward>(context, x, w, y, desc,
                         [&](const Plan& plan, cudnnConvolutionFwdAlgo_t algorithm, void* workspace,
                             void* part_x, void* part_y, bool) {
                           return cudnn().cudnnConvolutionForward(
                               handle, &one, plan.x, part_x, plan.w, w.data, plan.convolution,
                               algorithm, workspace, plan.workspace_bytes, &zero, plan.y, part_y);
                         });
  if (desc.topk) {
    relu_topk_forward(context, y, bias, y, *desc.topk);
  } else if (bias != nullptr || desc.activation != Activation::none) {
    add_bias_and_activate(context, bias, desc.activation, y);
  }
}

void conv2d_backward_data(Context& context, const View& dy, const View& w, const View& dx,
                          const Conv2dDesc& desc) {
  if (dx.numel() == 0) return;
  const cudnnHandle_t handle = cudnn_handle(context);
  for_each_part<BackwardData>(context, dx, w, dy, desc,
                              [&](const Plan& plan, cudnnConvolutionBwdDataAlgo_t algorithm,
                                  void* workspace, void* part_dx, void* part_dy, bool) {
                                return cudnn().cudnnConvolutionBackwardData(
                                    handle, &one, plan.w, w.data, plan.y, part_dy, plan.convolution,
                                    algorithm, workspace, plan.workspace_bytes, &zero, plan.x,
                                    part_dx);
                              });
}

void conv2d_backward_weights(Context& context, const View& dy, const View& x, const View& dw,
                             const Conv2dDesc& desc) {
  if (dw.numel() == 0) return;
  if (dy.numel() == 0) {
    fill(context, 0, dw);
    return;
  }
  const cudnnHandle_t handle = cudnn_handle(context);
  for_each_part<BackwardWeights>(context, x, dw, dy, desc,
                                 [&](const Plan& plan, cudnnConvolutionBwdFilterAlgo_t algorithm,
                                     void* workspace, void* part_x, void* part_dy, bool first) {
                                   return cudnn().cudnnConvolutionBackwardFilter(
                                       handle, &one, plan.x, part_x, plan.y, part_dy,
                                       plan.convolution, algorithm, workspace, plan.workspace_bytes,
                                       first ? &zero : &one, plan.w, dw.data);
                                 });
}

}  // namespace gestalt::cuda
