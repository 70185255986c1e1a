#pragma once

// kernels/cuda/launch.h under the SIMT executor: kernels run on the host, on the CPU's memory.

#include <malloc.h>
#include <tuple>

#include "kernels/context.h"
#include "kernels/cuda/namespace.h"
#include "kernels/error.h"
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

template <class... Parameters, class... Args>
void launch(Context& context, const char* name, void (*kernel)(Parameters...),
            const LaunchConfig& config, Args&&... args) {
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
  if (simt::AllowedMemory* allowed = simt::AllowedMemory::current()) {
    void* workspace = context.workspace(0);
    allowed->add(workspace, malloc_usable_size(workspace), false);
  }
  const std::tuple<Parameters...> parameters(static_cast<Args&&>(args)...);
  simt::run({name, config.grid, config.block, config.shared_bytes, config.cluster},
            [&] { std::apply(kernel, parameters); });
}

}  // namespace GESTALT_CUDA_NAMESPACE
