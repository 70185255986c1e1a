#pragma once

// Runtime: the raw services of one backend (memory, copies, synchronization), and where to get
// them. No entry is null. Sizes are in bytes; every call is ordered on the context's stream.

#include <cstddef>
#include <memory>
#include <string>

#include "kernels/capture.h"
#include "kernels/context.h"
#include "kernels/examination.h"
#include "kernels/types.h"

namespace gestalt {

struct MemoryInfo {
  size_t free = 0;  // that this process can still have
  size_t total = 0;
  size_t taken = 0;   // of the device, by all processes, with what this one holds in reserve
  size_t cached = 0;  // of that, what the runtime's own pool keeps for reuse
};

enum class CopyKind { host_to_device, device_to_host, device_to_device };

struct Runtime {
  const char* name;
  const KernelTable& kernels;
  int (*device_count)();               // 0 where there is no driver or no device; never throws
  NoDevice (*why_no_device)();         // where device_count() is 0; never throws
  std::string (*describe)(int index);  // device and library versions, for logs
  Examination (*examine)();
  // Whether convolutions in this dtype, not exact ones, are multiplied by tensor cores, which read
  // channels-last arrays as they lie.
  bool (*has_tensor_cores)(int index, DType dtype);
  std::unique_ptr<Context> (*make_context)(int index);
  void (*destroy_stream)(Context& context);
  // Null when out of memory, also after what nobody uses was given back.
  void* (*allocate)(Context& context, size_t bytes);
  void (*release)(Context& context, void* pointer);  // never throws
  // Host memory that the device copies from and to without a detour (page-locked for CUDA), 64-byte
  // aligned; null when out of memory.
  void* (*allocate_host)(Context& context, size_t bytes);
  void (*release_host)(Context& context, void* pointer);  // never throws
  void (*copy)(Context& context, void* to, const void* from, size_t bytes, CopyKind kind);
  void (*synchronize)(Context& context);
  void (*trim)(Context& context);  // waits, and gives memory that nobody uses to the system
  MemoryInfo (*memory)(Context& context);
  // See kernels/capture.h. Both may throw; after end_capture the context captures no more.
  void (*begin_capture)(Context& context);
  std::unique_ptr<CapturedWork> (*end_capture)(Context& context);
};

// The runtime of a backend; null when it was not built.
const Runtime* runtime(DeviceType type);

extern const Runtime cpu_runtime;

}  // namespace gestalt
