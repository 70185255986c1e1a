#pragma once

// The one way to launch a kernel:
//
//   launch(context, "topk_forward", topk_kernel<float>, {grid, block, shared_bytes}, args...);
//
// An empty grid launches nothing. More than 48 KB of shared memory is opted in to. The first error
// throws gestalt::Error naming the kernel; GESTALT_SYNC=1 in the environment also waits for each
// kernel, so that errors inside one carry its name.
//
// Launchers (kernels/cuda/*.cu, namespace GESTALT_CUDA_NAMESPACE) include this header, their own,
// device_limits.h, device/*.cuh and kernels/*.h alone, call no CUDA runtime function, and take
// scratch memory from context.workspace(): tests/simt compiles them a second time with the host's
// compiler, with tests/simt/shadow/kernels/cuda/launch.h in this header's place.

#include <cuda_runtime.h>

#include "kernels/context.h"
#include "kernels/cuda/check.h"
#include "kernels/cuda/device_limits.h"
#include "kernels/cuda/namespace.h"

namespace GESTALT_CUDA_NAMESPACE {

struct LaunchConfig {
  dim3 grid;
  dim3 block;
  size_t shared_bytes = 0;  // dynamic, as summed by shared_size() of device/shared.cuh
  unsigned cluster = 1;     // blocks along x: device/cluster.cuh; grid.x is a multiple of it
  // Several blocks are to be on a multiprocessor at once, for which it should have as much shared
  // memory as it can.
  bool shares_memory = false;
};

template <class... Parameters, class... Args>
void launch(Context& context, const char* name, void (*kernel)(Parameters...),
            const LaunchConfig& config, Args&&... args) {
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
  // A thread's current device need not be the one of the context that it uses now.
  check(cudaSetDevice(context.device().index), name);
  if (config.shared_bytes > plain_shared_bytes || config.shares_memory) {
    allow_much_shared_memory(context, name, kernel);
  }
  cudaLaunchConfig_t launch_config{};
  launch_config.gridDim = config.grid;
  launch_config.blockDim = config.block;
  launch_config.dynamicSmemBytes = config.shared_bytes;
  launch_config.stream = static_cast<cudaStream_t>(context.stream());
  cudaLaunchAttribute cluster{};
  if (config.cluster > 1) {
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {config.cluster, 1, 1};
    launch_config.attrs = &cluster;
    launch_config.numAttrs = 1;
  }
  check(cudaLaunchKernelEx(&launch_config, kernel, static_cast<Args&&>(args)...), name);
  wait_if_asked(context, name);
}

}  // namespace GESTALT_CUDA_NAMESPACE
