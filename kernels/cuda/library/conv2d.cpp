// Convolution and its gradients by cuDNN (conv2d_plan.cpp chooses the engines).

#include <algorithm>
#include <map>
#include <optional>
#include <string>
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

// For a plan; nothing where there is no memory for it.
std::optional<void*> workspace_of(Context& context, const Plan& plan) {
  const size_t bytes = plan.workspace_bytes();
  if (bytes == 0) return nullptr;
  void* const memory = context.try_workspace(bytes);
  return memory != nullptr ? std::optional(memory) : std::nullopt;
}

// Throws where the device has failed, as in an earlier kernel: cuDNN then refuses every plan.
void check_device(const Context& context, Conv2dDirection direction) {
  cudaGetLastError();  // what a plan left that was refused, not the next kernel's
  const cudaError_t status = cudaStreamSynchronize(static_cast<cudaStream_t>(context.stream()));
  GESTALT_CHECK(
      status == cudaSuccess,
      "[{}] CUDA: {} (a kernel queued before the convolution failed, or one of cuDNN's for it)",
      name_of(direction), cudaGetErrorString(status));
}

// The best plan that runs, which has run then: some that cuDNN makes it refuses to run, as for
// addresses of few bytes' alignment, and for some there may be no memory.
Plan first_that_runs(Context& context, const Conv2dProblem& problem, const Conv2dArrays& arrays) {
  std::string refusal;  // cuDNN's
  std::optional<size_t> lacking;
  const auto runs = [&](const Plan& plan) {
    const std::optional<void*> workspace = workspace_of(context, plan);
    if (!workspace) {
      lacking = std::min(lacking.value_or(plan.workspace_bytes()), plan.workspace_bytes());
      return false;
    }
    try {
      plan.run(context, problem, arrays, *workspace);
      return true;
    } catch (const Error& error) {
      refusal = error.what();
      check_device(context, problem.direction);
      return false;
    }
  };
  std::optional<Plan> plan;
  try {
    plan = make_plan(problem, target_of(context), runs);
  } catch (const Error&) {
    check_device(context, problem.direction);
    throw;
  }
  if (plan) return std::move(*plan);
  if (lacking && refusal.empty()) {
    throw Error(format("[{}] out of memory: a workspace of {} bytes on {} ({})",
                       name_of(problem.direction), *lacking, context.device(), to_string(problem)));
  }
  const std::string reason = refusal.empty() ? last_cudnn_error() : refusal;
  check_device(context, problem.direction);
  throw Error(format("[{}] cuDNN has no deterministic engine for it ({}){}{}",
                     name_of(problem.direction), to_string(problem), reason.empty() ? "" : ": ",
                     reason));
}

void convolve(Context& context, const Conv2dProblem& problem, const Conv2dArrays& arrays) {
  PlanCache& cache = context.state<PlanCache>();
  if (const auto found = cache.plans.find(problem); found != cache.plans.end()) {
    if (const std::optional<void*> workspace = workspace_of(context, found->second)) {
      found->second.run(context, problem, arrays, *workspace);
      return;
    }
    cache.plans.erase(found);  // another may need less
  }
  check_not_capturing(context, "a convolution of a new kind");
  cache.handle = shared_cudnn_handle(context);
  cache.plans.emplace(problem, first_that_runs(context, problem, arrays));
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
