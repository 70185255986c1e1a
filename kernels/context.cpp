#include "kernels/context.h"

#include <algorithm>

#include "kernels/error.h"
#include "kernels/runtime.h"

namespace gestalt {

Context::Context(Device device, const Runtime& runtime, void* stream)
    : device_(device), runtime_(runtime), stream_(stream), kernels_(&runtime.kernels) {}

Context::~Context() {
  states_.clear();
  if (workspace_ != nullptr) runtime_.release(*this, workspace_);
  runtime_.destroy_stream(*this);
}

void* Context::workspace(size_t bytes) {
  if (bytes > workspace_bytes_) {
    if (workspace_ != nullptr) runtime_.release(*this, workspace_);
    workspace_ = nullptr;
    workspace_bytes_ = 0;
    workspace_ = runtime_.allocate(*this, bytes);
    GESTALT_CHECK(workspace_ != nullptr, "out of memory: a workspace of {} bytes on {}", bytes,
                  device_);
    workspace_bytes_ = bytes;
  }
  return workspace_;
}

}  // namespace gestalt
