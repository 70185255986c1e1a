#include "kernels/cuda/library/conv2d_candidates.h"

#include <memory>

#include "kernels/cuda/library/conv2d_plan.h"
#include "kernels/cuda/library/handles.h"

namespace gestalt::cuda {

std::vector<Conv2dCandidate> conv2d_candidates(Context& context, const Conv2dProblem& problem,
                                               const Conv2dArrays& arrays) {
  const Target target = target_of(context);
  std::vector<Conv2dCandidate> candidates;
  bool is_chosen_known = false;
  for (EngineConfig& config : engine_configs(problem, target)) {
    // Seconds each, and only where nothing else suits is one chosen.
    if (is_chosen_known && config.compiles_at_run_time()) continue;
    std::optional<Plan> made = make_plan(std::move(config), target);
    if (!made) continue;
    const auto plan = std::make_shared<Plan>(std::move(*made));
    const bool is_chosen = !is_chosen_known && suits(*plan, problem);
    is_chosen_known |= is_chosen;
    candidates.push_back({.engine = plan->config().engine(),
                          .notes = plan->config().notes(),
                          .workspace_bytes = plan->workspace_bytes(),
                          .is_chosen = is_chosen,
                          .run = [&context, plan, problem, arrays] {
                            const size_t bytes = plan->workspace_bytes();
                            void* workspace = bytes > 0 ? context.workspace(bytes) : nullptr;
                            plan->run(context, problem, arrays, workspace);
                          }});
  }
  return candidates;
}

}  // namespace gestalt::cuda
