#pragma once

// CapturedGraph: a step captured once and replayed as one piece, a CUDA graph on CUDA. Replaying
// costs one launch instead of one a kernel, and gives the bits that running the step gives.
//
//   Tensor images = ..., loss;                       // fixed: the step reads and writes these
//   CapturedGraph graph(device, [&] {
//     images.set_grad({});
//     loss = objective(images);
//     loss.backward();
//   });
//   images.copy_(next);  graph.replay();  loss.item();  images.grad();
//
// The step runs `warm_up_runs` times for good, so that plans, workspaces, optimizer states and
// memory are there; then it is captured, which computes nothing. Each replay is one more run. What
// the warm-up runs have changed is put back where `restored` has it.
//
// What a step must keep to:
//  - Its inputs are fixed tensors, filled by copy_ between replays; they outlive the graph. Tensors
//    that it leaves (a loss, gradients) have fixed memory, which each replay overwrites.
//  - No reading of values (item, to_vector), no tensors from host values, no more memory than in
//    its warm-up runs: these throw Error, and nothing of what was captured runs. Host state that
//    the step had changed by then (an optimizer's step count, a generator's offset) stays changed.
//  - Only what goes through the kernels of its device is captured. An op of one's own that works on
//    the host is not: on the CPU data<T>() throws during the capture. Such an op stays outside of
//    the step, or is made of others. On CUDA, kernels launched on the device's stream are captured.
//  - Host values are those of the capture: a learning rate, Adam's step count, the offset of a
//    Generator. A step whose host values change is captured again before it is replayed
//    (`capture`), at the host's cost of one run; or it leaves what uses them, the optimizer's step
//    or the random numbers, outside.
//
//  - Memory is that of the capture: load_state_dict of modules, optimizers and averages copies
//    into it, so that replays go on from what was loaded. Module::to, set_data, and loading a state
//    into an optimizer that has none (or none into one that has) give other memory: make a new
//    graph.
//
// On the CPU the kernel calls are captured in the same way. A graph is used by the thread that made
// it.

#include <functional>
#include <memory>
#include <vector>

#include "kernels/capture.h"
#include "kernels/types.h"
#include "tensor/tensor.h"

namespace gestalt {

class StepMemory;

struct CaptureOptions {
  int warm_up_runs = 2;  // the first may differ (an optimizer's first step); at least 2
  // These have the values from before the warm-up runs again when the step is captured, in the same
  // memory; where the step throws, they stay as it left them. Not gradients: the step replaces
  // those.
  std::vector<Tensor> restored;
};

// Whether replaying a step is faster than running it: on CUDA, but not where each kernel is waited
// for (synchronous_launches), which a captured step can't be: capturing there is an Error.
bool capture_pays(Device device);

class CapturedGraph {
 public:
  CapturedGraph(Device device, std::function<void()> step, const CaptureOptions& options = {});
  ~CapturedGraph();
  CapturedGraph(CapturedGraph&&) noexcept;
  CapturedGraph& operator=(CapturedGraph&&) noexcept;

  void replay();
  // Captures the step again, with the host values of now; computes nothing.
  void capture();

 private:
  Device device_;
  std::function<void()> step_;
  std::shared_ptr<StepMemory> memory_;
  std::unique_ptr<CapturedWork> work_;
};

}  // namespace gestalt
