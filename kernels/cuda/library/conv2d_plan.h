#pragma once

// How cuDNN does a convolution: a graph of one operation, an engine of cuDNN's for it and a plan
// (internal to kernels/ and its tests).

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cuda/library/conv2d_problem.h"
#include "kernels/cuda/library/cudnn_descriptor.h"

namespace gestalt::cuda {

// The device that plans are for: the handle's, or one that need not be here, of which cuDNN 9.8 and
// later know the properties (CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR). Those plans can't be run.
struct Target {
  cudnnHandle_t handle = nullptr;
  const Descriptor* properties = nullptr;
  int architecture = 0;  // 86: sm_86
};

// The context's device.
Target target_of(Context& context);

// A program of cuDNN's, and how it is to be run. What cuDNN says of its arithmetic:
class EngineConfig {
 public:
  explicit EngineConfig(Descriptor config);

  const Descriptor& descriptor() const { return config_; }
  int64_t engine() const { return engine_; }  // cuDNN's number
  bool has(cudnnBackendNumericalNote_t note) const;
  std::string notes() const;  // "tensor_core", "nondeterministic" ..., apart by spaces
  bool compiles_at_run_time() const { return compiles_at_run_time_; }

 private:
  Descriptor config_;
  int64_t engine_ = 0;
  std::vector<cudnnBackendNumericalNote_t> notes_;
  bool compiles_at_run_time_ = false;
};

// What cuDNN's rules (no timing) propose for the problem, the best first, then what does everything
// slowly, then what is compiled at its first use. 16-bit channels-last problems whose channels are
// multiples of 8 have those with tensor cores first. Without those that are known to break
// promises on this device (skipped_engines.h). Empty: it has none.
std::vector<EngineConfig> engine_configs(const Conv2dProblem& problem, const Target& target);

// Whether its arithmetic is what the library promises: conv2d_plan.cpp says what that is.
bool is_allowed(const EngineConfig& config, const Conv2dProblem& problem);

class Plan {
 public:
  Plan(Descriptor plan, EngineConfig config);

  const EngineConfig& config() const { return config_; }
  size_t workspace_bytes() const { return workspace_bytes_; }
  // On the context whose handle it was made with.
  void run(Context& context, const Conv2dProblem& problem, const Conv2dArrays& arrays,
           void* workspace) const;

 private:
  EngineConfig config_;
  Descriptor plan_;
  size_t workspace_bytes_;
};

// Nothing where cuDNN can't do it on this device after all.
std::optional<Plan> make_plan(EngineConfig config, const Target& target);

inline constexpr size_t workspace_limit = size_t{1} << 30;

// Allowed, and within workspace_limit.
bool suits(const Plan& plan, const Conv2dProblem& problem);

// The first that suits and that `accepts` takes; nothing where there is none. Throws Error, with
// the problem, where cuDNN refuses to hear of it, as of sizes that don't fit together.
std::optional<Plan> make_plan(const Conv2dProblem& problem, const Target& target,
                              const std::function<bool(const Plan&)>& accepts = {});

}  // namespace gestalt::cuda
