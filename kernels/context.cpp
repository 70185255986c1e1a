#include "kernels/context.h"

#include <algorithm>

#include "kernels/capture.h"
#include "kernels/error.h"
#include "kernels/runtime.h"

namespace gestalt {

Context::Context(Device device, const Runtime& runtime, void* stream)
    : device_(device), runtime_(runtime), stream_(stream), kernels_(&runtime.kernels) {}

Context::~Context() {
  const std::vector<void*> outgrown = state<CaptureState>().outgrown_workspaces;
  states_.clear();
  for (void* workspace : outgrown) runtime_.release(*this, workspace);
  if (workspace_ != nullptr) runtime_.release(*this, workspace_);
  runtime_.destroy_stream(*this);
}

void* Context::workspace(size_t bytes) {
  void* const memory = try_workspace(bytes);
  GESTALT_CHECK(memory != nullptr || bytes == 0, "out of memory: a workspace of {} bytes on {}",
                bytes, device_);
  return memory;
}

void* Context::try_workspace(size_t bytes) {
  CaptureState& capture = state<CaptureState>();
  if (bytes > workspace_bytes_) {
    check_not_capturing(*this, "a workspace that grows to {} bytes", bytes);
    if (workspace_ != nullptr) {
      if (capture.workspace_is_captured) {
        capture.outgrown_workspaces.push_back(workspace_);
      } else {
        runtime_.release(*this, workspace_);
      }
    }
    capture.workspace_is_captured = false;
    workspace_ = nullptr;
    workspace_bytes_ = 0;
    workspace_ = runtime_.allocate(*this, bytes);
    if (workspace_ == nullptr) return nullptr;
    workspace_bytes_ = bytes;
  }
  if (capture.active) capture.workspace_is_captured = true;
  return workspace_;
}

}  // namespace gestalt
