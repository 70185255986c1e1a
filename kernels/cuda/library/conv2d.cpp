// Convolution and its gradients by cuDNN (conv2d_plan.cpp chooses the engines).

#include <map>
#include <utility>

#include "kernels/capture.h"
#include "kernels/cuda/library/conv2d_plan.h"
#include "kernels/cuda/library/convolution.h"
#include "kernels/cuda/library/handles.h"

namespace gestalt::cuda {
namespace {

// The handle, to which plans belong, outlives them.
struct PlanCache {
  SharedCudnnHandle handle;
  std::map<Conv2dProblem, Plan> plans;
};

// At the first time the best plan that runs: some that cuDNN makes it then refuses to run, as for
// addresses of few bytes' alignment.
void convolve(Context& context, const Conv2dProblem& problem, const Conv2dArrays& arrays) {
  PlanCache& cache = context.state<PlanCache>();
  const auto workspace = [&](const Plan& plan) {
    const size_t bytes = plan.workspace_bytes();
    return bytes > 0 ? context.workspace(bytes) : nullptr;
  };
  if (const auto found = cache.plans.find(problem); found != cache.plans.end()) {
    const Plan& plan = found->second;
    plan.run(context, problem, arrays, workspace(plan));
    return;
  }
  check_not_capturing(context, "a convolution of a new kind");
  cache.handle = shared_cudnn_handle(context);
  std::string refusal;
  const auto runs = [&](const Plan& plan) {
    void* const memory = workspace(plan);
    try {
      plan.run(context, problem, arrays, memory);
      return true;
    } catch (const Error& error) {
      refusal = error.what();
      cudaGetLastError();  // not the next kernel's
      return false;
    }
  };
  std::optional<Plan> plan = make_plan(problem, {.handle = cache.handle.get()}, runs);
  if (!plan) {
    const std::string reason = refusal.empty() ? last_cudnn_error() : refusal;
    throw Error(format("[{}] cuDNN has no deterministic engine for it ({}){}{}",
                       name_of(problem.direction), to_string(problem), reason.empty() ? "" : ": ",
                       reason));
  }
  cache.plans.emplace(problem, std::move(*plan));
}

}  // namespace

void conv2d_forward(Context& context, const View& x, const View& w, const View* bias, const View& y,
                    const Conv2dDesc& desc) {
  conv2d_forward_by(convolve, context, x, w, bias, y, desc);
}

void conv2d_backward_data(Context& context, const View& dy, const View& w, const View& dx,
                          const Conv2dDesc& desc) {
  conv2d_backward_data_by(convolve, context, dy, w, dx, desc);
}

void conv2d_backward_weights(Context& context, const View& dy, const View& x, const View& dw,
                             const Conv2dDesc& desc) {
  conv2d_backward_weights_by(convolve, context, dy, x, dw, desc);
}

}  // namespace gestalt::cuda
