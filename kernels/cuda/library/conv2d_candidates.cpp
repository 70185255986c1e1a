#include "kernels/cuda/library/conv2d_candidates.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <span>

#include "kernels/cuda/library/conv2d_plan.h"

namespace gestalt::cuda {
namespace {

using namespace convolution;

const char* name_of(cudnnConvolutionFwdAlgo_t algorithm) {
  constexpr const char* names[] = {
      "implicit_gemm", "implicit_precomp_gemm", "gemm", "direct", "fft", "fft_tiling",
      "winograd",      "winograd_nonfused"};
  static_assert(std::size(names) == Forward::algorithms);
  return names[algorithm];
}

const char* name_of(cudnnConvolutionBwdDataAlgo_t algorithm) {
  constexpr const char* names[] = {"algo_0",     "algo_1",   "fft",
                                   "fft_tiling", "winograd", "winograd_nonfused"};
  static_assert(std::size(names) == BackwardData::algorithms);
  return names[algorithm];
}

const char* name_of(cudnnConvolutionBwdFilterAlgo_t algorithm) {
  constexpr const char* names[] = {
      "algo_0", "algo_1", "fft", "algo_3", "winograd", "winograd_nonfused", "fft_tiling"};
  static_assert(std::size(names) == BackwardWeights::algorithms);
  return names[algorithm];
}

const char* name_of(cudnnMathType_t math) {
  switch (math) {
    case CUDNN_DEFAULT_MATH:
      return "default";
    case CUDNN_TENSOR_OP_MATH:
      return "tensor_op";
    case CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION:
      return "tensor_op_allow_conversion";
    case CUDNN_FMA_MATH:
      return "fma";
  }
  return "?";
}

// The plan and what it needs of the ranking; nothing where cuDNN has no such convolution.
template <class Direction>
void add(std::vector<Conv2dCandidate>& candidates, Context& context, const Problem& problem,
         typename Direction::Algorithm algorithm, cudnnMathType_t math, int rank,
         const char* determinism, const View& x, const View& w, const View& y) {
  const auto plan = std::make_shared<Plan>(describe(Direction::name, problem));
  plan->algorithm = algorithm;
  plan->math = math;
  check(cudnn().cudnnSetConvolutionMathType(plan->convolution, math), Direction::name);
  if (Direction::workspace(cudnn_handle(context), *plan, algorithm, &plan->workspace_bytes) !=
      CUDNN_STATUS_SUCCESS) {
    return;
  }
  const Plan& chosen = plan_for<Direction>(context, problem);
  candidates.push_back(
      {.algorithm = format("{} {}", static_cast<int>(algorithm), name_of(algorithm)),
       .math = name_of(math),
       .determinism = determinism,
       .rank = rank,
       .workspace_bytes = plan->workspace_bytes,
       .is_chosen = chosen.algorithm == algorithm && chosen.math == math,
       .run = [&context, plan, x = x.data, w = w.data, y = y.data] {
         const size_t bytes = plan->workspace_bytes;
         void* workspace = bytes > 0 ? context.workspace(bytes) : nullptr;
         check(Direction::run(cudnn_handle(context), *plan, workspace, x, w, y, &zero),
               Direction::name);
       }});
}

template <class Direction>
std::vector<Conv2dCandidate> candidates_of(Context& context, const View& x, const View& w,
                                           const View& y, const Conv2dDesc& desc) {
  using Algorithm = typename Direction::Algorithm;
  const Problem problem = make_problem(context, Direction::name, x, w, y, desc);
  std::array<typename Direction::Candidate, Direction::algorithms> ranking{};
  int count = 0;
  check(Direction::rank(cudnn_handle(context), describe(Direction::name, problem), &count,
                        ranking.data()),
        Direction::name);
  std::vector<Conv2dCandidate> candidates;
  const auto ranked = std::span(ranking.data(), static_cast<size_t>(count));
  int rank = 0;
  for (const auto& each : ranked) {
    ++rank;
    if (each.status != CUDNN_STATUS_SUCCESS) continue;
    add<Direction>(candidates, context, problem, each.algo, each.mathType, rank,
                   each.determinism == CUDNN_DETERMINISTIC ? "yes" : "no", x, w, y);
  }
  for (int number = 0; number < Direction::algorithms; ++number) {
    for (const cudnnMathType_t math : {CUDNN_DEFAULT_MATH, CUDNN_TENSOR_OP_MATH, CUDNN_FMA_MATH}) {
      const auto algorithm = static_cast<Algorithm>(number);
      const bool is_ranked = std::any_of(ranked.begin(), ranked.end(), [&](const auto& each) {
        return each.status == CUDNN_STATUS_SUCCESS && each.algo == algorithm &&
               each.mathType == math;
      });
      if (!is_ranked) {
        add<Direction>(candidates, context, problem, algorithm, math, 0, "?", x, w, y);
      }
    }
  }
  return candidates;
}

}  // namespace

std::vector<Conv2dCandidate> conv2d_candidates(Context& context, Conv2dDirection direction,
                                               const View& x, const View& w, const View& y,
                                               const Conv2dDesc& desc) {
  switch (direction) {
    case Conv2dDirection::forward:
      return candidates_of<Forward>(context, x, w, y, desc);
    case Conv2dDirection::backward_data:
      return candidates_of<BackwardData>(context, x, w, y, desc);
    case Conv2dDirection::backward_weights:
      return candidates_of<BackwardWeights>(context, x, w, y, desc);
  }
  return {};
}

}  // namespace gestalt::cuda
