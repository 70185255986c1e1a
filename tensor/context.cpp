#include "tensor/context.h"

#include <map>
#include <mutex>

#include "kernels/error.h"
#include "kernels/runtime.h"

namespace gestalt {
namespace {

Device& default_device_slot() {
  static Device device;
  return device;
}

Context& cuda_context(Device device) {
  static std::mutex mutex;
  // Never destroyed: at exit the driver may be gone before static destructors run.
  static auto* contexts = new std::map<int, std::unique_ptr<Context>>;
  const std::lock_guard lock(mutex);
  std::unique_ptr<Context>& slot = (*contexts)[device.index];
  if (!slot) {
    const Runtime* backend = runtime(DeviceType::cuda);
    GESTALT_CHECK(backend != nullptr, "device {}: this build has no CUDA backend", device);
    const int count = backend->device_count();
    GESTALT_CHECK(count > 0, "device {}: {}", device, backend->why_no_device().finding.what);
    GESTALT_CHECK(device.index < count, "device {}: this machine has {} usable CUDA devices",
                  device, count);
    slot = backend->make_context(device.index);
  }
  return *slot;
}

}  // namespace

Context& context(Device device) {
  if (device.is_cuda()) return cuda_context(device);
  thread_local const std::unique_ptr<Context> cpu = cpu_runtime.make_context(0);
  return *cpu;
}

bool is_available(Device device) {
  const Runtime* backend = runtime(device.type);
  return backend != nullptr && device.index < backend->device_count();
}

Device default_device() {
  return default_device_slot();
}
void set_default_device(Device device) {
  default_device_slot() = device;
}

void synchronize(Device device) {
  Context& ctx = context(device);
  ctx.runtime().synchronize(ctx);
}

}  // namespace gestalt
