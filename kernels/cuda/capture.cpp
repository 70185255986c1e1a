#include "kernels/cuda/capture.h"

#include "kernels/cuda/check.h"

namespace gestalt::cuda {
namespace {

cudaStream_t stream(const Context& context) {
  return static_cast<cudaStream_t>(context.stream());
}

// An executable graph. Destroyed while it still runs, it ends first.
class ExecutableGraph : public CapturedWork {
 public:
  explicit ExecutableGraph(cudaGraph_t graph) {
    check(cudaGraphInstantiate(&executable_, graph, 0), "instantiate graph");
  }
  ~ExecutableGraph() override {
    if (executable_ != nullptr) check_or_log(cudaGraphExecDestroy(executable_), "destroy graph");
  }

  void replay(Context& context) override {
    check(cudaSetDevice(context.device().index), "replay graph");
    check(cudaGraphLaunch(executable_, stream(context)), "replay graph");
  }

 private:
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace

void begin_capture(Context& context) {
  check_nothing_waits();
  check(cudaSetDevice(context.device().index), "begin capture");
  // Thread-local: other threads may allocate and wait on their own streams meanwhile.
  check(cudaStreamBeginCapture(stream(context), cudaStreamCaptureModeThreadLocal), "begin capture");
}

std::unique_ptr<CapturedWork> end_capture(Context& context) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream(context), &graph), "end capture");
  const std::unique_ptr<std::remove_pointer_t<cudaGraph_t>, cudaError_t (*)(cudaGraph_t)> owner(
      graph, cudaGraphDestroy);
  return std::make_unique<ExecutableGraph>(graph);
}

}  // namespace gestalt::cuda
