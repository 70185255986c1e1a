// The algorithm is the first of cuDNN's own ranking (a rule, not a timing) that is deterministic
// and needs at most workspace_limit bytes: the same shapes give the same bits on the same device
// and cuDNN. f32 may be multiplied as TF32 unless the context is exact, as in PyTorch; exact also
// forbids Winograd and FFT. bf16 and f16 are multiplied by tensor cores and summed in f32.

#include "kernels/cuda/library/conv2d_plan.h"

#include <limits>
#include <map>
#include <span>
#include <tuple>

namespace gestalt::cuda::convolution {
namespace {

constexpr size_t workspace_limit = size_t{1} << 30;

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

}  // namespace

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

Plan describe(const char* name, const Problem& problem) {
  const cudnnDataType_t type = data_type(name, problem.dtype);
  const cudnnTensorFormat_t layout =
      problem.format == Format::contiguous ? CUDNN_TENSOR_NCHW : CUDNN_TENSOR_NHWC;
  const auto& [x, w, y] = std::tie(problem.x, problem.w, problem.y);

  Plan plan;
  plan.math = math_type(problem);
  check(cudnn().cudnnSetTensor4dDescriptor(plan.x, layout, type, x[0], x[1], x[2], x[3]), name);
  check(cudnn().cudnnSetTensor4dDescriptor(plan.y, layout, type, y[0], y[1], y[2], y[3]), name);
  check(cudnn().cudnnSetFilter4dDescriptor(plan.w, type, layout, w[0], w[1], w[2], w[3]), name);
  check(cudnn().cudnnSetConvolution2dDescriptor(
            plan.convolution, problem.padding[0], problem.padding[1], problem.stride[0],
            problem.stride[1], problem.dilation[0], problem.dilation[1], CUDNN_CROSS_CORRELATION,
            CUDNN_DATA_FLOAT),
        name);
  check(cudnn().cudnnSetConvolutionGroupCount(plan.convolution, problem.groups), name);
  check(cudnn().cudnnSetConvolutionMathType(plan.convolution, plan.math), name);
  return plan;
}

namespace {

template <class Direction>
Plan make_plan(Context& context, const Problem& problem) {
  const char* name = Direction::name;
  Plan plan = describe(name, problem);
  const cudnnMathType_t math = plan.math;
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
    plan.math = math == CUDNN_FMA_MATH ? math : candidate.mathType;
    check(cudnn().cudnnSetConvolutionMathType(plan.convolution, plan.math), name);
    size_t bytes = 0;
    if (Direction::workspace(handle, plan, candidate.algo, &bytes) != CUDNN_STATUS_SUCCESS)
      continue;
    if (bytes > workspace_limit) continue;
    plan.algorithm = candidate.algo;
    plan.workspace_bytes = bytes;
    return plan;
  }
  const auto &x = problem.x, &w = problem.w;
  throw Error(
      format("[{}] cuDNN has no deterministic{} algorithm for x {}[{},{},{},{}], weight "
             "[{},{},{},{}] ({}, groups {})",
             name, problem.exact ? " exact" : "", problem.dtype, x[0], x[1], x[2], x[3], w[0], w[1],
             w[2], w[3], problem.format, problem.groups));
}

}  // namespace

template <class Direction>
const Plan& plan_for(Context& context, const Problem& problem) {
  auto& plans = context.state<PlanCache<Direction>>().plans;
  const auto found = plans.find(problem);
  if (found != plans.end()) return found->second;
  return plans.emplace(problem, make_plan<Direction>(context, problem)).first->second;
}

template const Plan& plan_for<Forward>(Context&, const Problem&);
template const Plan& plan_for<BackwardData>(Context&, const Problem&);
template const Plan& plan_for<BackwardWeights>(Context&, const Problem&);

}  // namespace gestalt::cuda::convolution
