#include "tensor/graph.h"

#include <utility>

#include "kernels/runtime.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/step_memory.h"

namespace gestalt {
namespace {

// Captures while it lives; finish() gives what was captured. Left by an exception, it drops that.
class Capturing {
 public:
  explicit Capturing(Context& context) : context_(context) {
    GESTALT_CHECK(!is_capturing(context), "[capture] a captured step can't capture another");
    context.runtime().begin_capture(context);
    context.state<CaptureState>().active = true;
  }
  ~Capturing() {
    if (!is_capturing(context_)) return;
    try {
      finish();
    } catch (const Error&) {
      // The error that ended the step is the one to report.
    }
  }

  std::unique_ptr<CapturedWork> finish() {
    context_.state<CaptureState>().active = false;
    return context_.runtime().end_capture(context_);
  }

 private:
  Context& context_;
};

void put_back(std::vector<Tensor> tensors, const std::vector<Tensor>& values) {
  const NoGradGuard no_grad;
  for (size_t i = 0; i < tensors.size(); ++i) tensors[i].copy_(values[i]);
}

}  // namespace

bool capture_pays(Device device) {
  return device.is_cuda() && !synchronous_launches();
}

CapturedGraph::CapturedGraph(Device device, std::function<void()> step,
                             const CaptureOptions& options)
    : device_(device), step_(std::move(step)), memory_(std::make_shared<StepMemory>(device)) {
  GESTALT_CHECK(options.warm_up_runs >= 2, "[capture] expected at least 2 warm-up runs, got {}",
                options.warm_up_runs);
  std::vector<Tensor> before;  // not of the step's memory
  for (const Tensor& tensor : options.restored) before.push_back(tensor.detach().clone());
  const StepMemory::Use use(*memory_);
  for (int run = 0; run < options.warm_up_runs; ++run) step_();
  put_back(options.restored, before);  // before the capture, whose tape may keep them
  capture();
}

CapturedGraph::~CapturedGraph() = default;
CapturedGraph::CapturedGraph(CapturedGraph&&) noexcept = default;
CapturedGraph& CapturedGraph::operator=(CapturedGraph&&) noexcept = default;

void CapturedGraph::capture() {
  const StepMemory::Use use(*memory_);
  const size_t kept_for_earlier = memory_->kept();
  Capturing capturing(context(device_));
  step_();
  work_ = capturing.finish();
  memory_->release_kept(kept_for_earlier);  // in the stream's order, after the earlier work
}

void CapturedGraph::replay() {
  work_->replay(context(device_));
}

}  // namespace gestalt
