#include "kernels/runtime.h"

#include <cstdlib>
#include <cstring>
#include <string>

#include "kernels/cpu/capture.h"
#include "kernels/cpu/examine.h"
#include "kernels/cpu/f32_blocks.h"
#include "kernels/cpu/memory_info.h"
#include "kernels/cpu/table.h"
#include "kernels/rounding.h"

namespace gestalt {
namespace {

// Plain malloc; pooling is the tensor library's business. Aligned as Context::workspace promises.
void* allocate(Context&, size_t bytes) {
  return std::aligned_alloc(256, round_up(bytes, 256));
}

void release(Context&, void* pointer) {
  std::free(pointer);
}

MemoryInfo memory(Context&) {
  return cpu::memory_info("/");
}

}  // namespace

const Runtime cpu_runtime = {
    .name = "cpu",
    .kernels = cpu_kernels,
    .device_count = [] { return 1; },
    .why_no_device = [] { return NoDevice{}; },
    .describe = [](int) { return std::string("cpu"); },
    .examine = cpu::examine,
    .has_tensor_cores = [](int, DType) { return false; },
    .make_context = [](int) { return std::make_unique<Context>(Device{}, cpu_runtime); },
    .destroy_stream = [](Context&) {},
    .allocate = allocate,
    .release = release,
    .allocate_host = allocate,
    .release_host = release,
    .copy = [](Context&, void* to, const void* from, size_t bytes,
               CopyKind) { std::memcpy(to, from, bytes); },
    .synchronize = [](Context&) {},
    .trim = [](Context& context) { context.state<cpu::F32Blocks>().clear(); },
    .memory = memory,
    .begin_capture = cpu::begin_capture,
    .end_capture = cpu::end_capture,
};

}  // namespace gestalt
