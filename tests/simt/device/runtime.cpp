#include "tests/simt/device/runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "kernels/capture.h"
#include "kernels/cuda/capture.h"
#include "kernels/rounding.h"
#include "tests/simt/device/memory.h"
#include "tests/simt/device/stream.h"

namespace gestalt::simt {
namespace {

DeviceMemory& device_memory() {
  return DeviceMemory::instance();
}

std::unique_ptr<Context> make_context(int index) {
  GESTALT_CHECK(index == 0, "no device cuda:{}: 1 found", index);
  device_memory();
  return std::make_unique<Context>(Device{DeviceType::cuda, 0}, emulated_cuda_runtime, new Stream);
}

void destroy_stream(Context& context) {
  try {
    Stream::of(context).drain();
  } catch (const Error& error) {
    std::fprintf(stderr, "[destroy stream] %s\n", error.what());
  }
  delete &Stream::of(context);
}

void trim(Context& context) {
  check_not_capturing(context, "giving memory back");
  Stream::drain_all();
}

void* allocate(Context& context, size_t bytes) {
  check_not_capturing(context, "an allocation of {} bytes", bytes);
  void* pointer = device_memory().allocate(bytes);
  if (pointer != nullptr) return pointer;
  trim(context);
  return device_memory().allocate(bytes);
}

void* allocate_host(Context& context, size_t bytes) {
  check_not_capturing(context, "an allocation of {} bytes on the host", bytes);
  return std::aligned_alloc(64, round_up(std::max<size_t>(bytes, 1), 64));
}

void copy_bytes(Context& context, void* to, const void* from, size_t bytes, CopyKind kind) {
  if (bytes == 0) return;
  if (kind == CopyKind::device_to_device) {
    Stream::of(context).enqueue({"copy", [=](Context&) {
                                   std::memcpy(device_memory().copied(to, bytes),
                                               device_memory().copied(from, bytes), bytes);
                                 }});
    return;
  }
  check_not_capturing(context, "a copy of {} bytes from or to the host", bytes);
  Stream::of(context).drain();
  if (kind == CopyKind::host_to_device) {
    std::memcpy(device_memory().copied(to, bytes), from, bytes);
  } else {
    std::memcpy(to, device_memory().copied(from, bytes), bytes);
  }
}

void synchronize(Context& context) {
  check_not_capturing(context, "waiting for the device");
  Stream::of(context).drain();
}

MemoryInfo memory(Context&) {
  const size_t taken = device_memory().in_use(), cached = device_memory().releasing();
  return {.free = DeviceMemory::capacity - taken + cached,
          .total = DeviceMemory::capacity,
          .taken = taken,
          .cached = cached};
}

Examination examine() {
  return {.built = {{"CUDA", "emulated by tests/simt"}},
          .found = {},
          .devices = {{.device = {DeviceType::cuda, 0},
                       .facts = {{"name", "emulated device"}},
                       .findings = {}}},
          .findings = {}};
}

// ---- capture ----

class Recorded : public CapturedWork {
 public:
  explicit Recorded(std::shared_ptr<const Recording> recording)
      : recording_(std::move(recording)) {}
  void replay(Context& context) override {
    check_not_capturing(context, "a replay");
    Stream::of(context).enqueue(recording_);
  }

 private:
  std::shared_ptr<const Recording> recording_;
};

}  // namespace

const Runtime emulated_cuda_runtime = {
    .name = "cuda",
    .kernels = emulated_cuda_kernels,
    .device_count = [] { return 1; },
    .why_no_device = [] { return NoDevice{}; },
    .describe = [](int) { return std::string("emulated by tests/simt: no GPU"); },
    .examine = examine,
    .has_tensor_cores = [](int, DType dtype) { return dtype != DType::f64; },
    .make_context = make_context,
    .destroy_stream = destroy_stream,
    .allocate = allocate,
    .release = [](Context& context, void* pointer) { Stream::of(context).release(pointer); },
    .allocate_host = allocate_host,
    .release_host = [](Context&, void* pointer) { std::free(pointer); },
    .copy = copy_bytes,
    .synchronize = synchronize,
    .trim = trim,
    .memory = memory,
    .begin_capture =
        [](Context& context) {
          cuda::check_nothing_waits();
          Stream::of(context).begin_capture();
        },
    .end_capture = [](Context& context) -> std::unique_ptr<CapturedWork> {
      return std::make_unique<Recorded>(Stream::of(context).end_capture());
    },
};

}  // namespace gestalt::simt
