#pragma once

// kernels/cuda/launch.h under the SIMT executor: kernels run on the host. For contexts of the CPU
// at once and on its memory, for those of the emulated device when its stream comes to them.

#include <malloc.h>
#include <tuple>

#include "kernels/context.h"
#include "kernels/cuda/namespace.h"
#include "kernels/error.h"
#include "tests/simt/device/stream.h"
#include "tests/simt/device_language.h"
#include "tests/simt/global_memory.h"

namespace GESTALT_CUDA_NAMESPACE {

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;
  unsigned cluster = 1;
  bool shares_memory = false;
};

// All by value: a kernel finds its parameters on the stack, not in memory of the host.
template <class... Parameters>
void run_now(const simt::Launch& shape, void (*kernel)(Parameters...),
             const std::tuple<Parameters...> parameters) {
  simt::run(shape, [&] { std::apply(kernel, parameters); });
}

template <class... Parameters, class... Args>
void launch(Context& context, const char* name, void (*kernel)(Parameters...),
            const LaunchConfig& config, Args&&... args) {
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
  const simt::Launch shape{name, config.grid, config.block, config.shared_bytes, config.cluster};
  const std::tuple<Parameters...> parameters(static_cast<Args&&>(args)...);
  if (context.device().is_cuda()) {
    simt::Stream::of(context).enqueue(
        {name, [=](Context&) { run_now(shape, kernel, parameters); }});
    return;
  }
  if (simt::AllowedMemory* allowed = simt::AllowedMemory::current()) {
    void* workspace = context.workspace(0);
    allowed->add(workspace, malloc_usable_size(workspace), false);
  }
  run_now(shape, kernel, parameters);
}

}  // namespace GESTALT_CUDA_NAMESPACE
