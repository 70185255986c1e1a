#include "kernels/cuda/runtime.h"

#include <algorithm>
#include <limits>

#include "kernels/cuda/capture.h"
#include "kernels/cuda/examine.h"
#include "kernels/cuda/library/versions.h"
#include "kernels/cuda/table.h"

namespace gestalt {
namespace cuda {
namespace {

cudaStream_t stream(const Context& context) {
  return static_cast<cudaStream_t>(context.stream());
}

cudaMemPool_t memory_pool(int index) {
  cudaMemPool_t pool = nullptr;
  check(cudaDeviceGetDefaultMemPool(&pool, index), "memory pool");
  return pool;
}

int device_count() {
  int count = 0;
  if (cudaGetDeviceCount(&count) == cudaSuccess) return count;
  cudaGetLastError();  // no driver, no device: not an error
  return 0;
}

std::string describe(int index) {
  cudaDeviceProp properties;
  check(cudaGetDeviceProperties(&properties, index), "describe device");
  int driver = 0, runtime = 0;
  check(cudaDriverGetVersion(&driver), "driver version");
  check(cudaRuntimeGetVersion(&runtime), "runtime version");
  return format("{} (sm_{}{}, {} MiB), driver for CUDA {}, CUDA {}, cuDNN {}, cuBLAS {}",
                properties.name, properties.major, properties.minor,
                properties.totalGlobalMem >> 20, cuda_version(driver), cuda_version(runtime),
                loaded_cudnn_version(), loaded_cublas_version());
}

bool has_tensor_cores(int index, DType dtype) {
  int major = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index), "tensor cores");
  if (dtype == DType::f16) return major >= 7;
  return (dtype == DType::f32 || dtype == DType::bf16) && major >= 8;
}

std::unique_ptr<Context> make_context(int index) {
  const int count = device_count();
  GESTALT_CHECK(index >= 0 && index < count, "no device cuda:{}: {} found", index, count);
  check(cudaSetDevice(index), "make context");
  // Memory once taken stays in the pool: allocation costs no system call after warm-up.
  uint64_t threshold = std::numeric_limits<uint64_t>::max();
  check(cudaMemPoolSetAttribute(memory_pool(index), cudaMemPoolAttrReleaseThreshold, &threshold),
        "memory pool");
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "make context");
  return std::make_unique<Context>(Device{DeviceType::cuda, index}, cuda_runtime, stream);
}

void destroy_stream(Context& context) {
  check_or_log(cudaStreamSynchronize(stream(context)), "destroy stream");
  check_or_log(cudaStreamDestroy(stream(context)), "destroy stream");
}

void trim(Context& context) {
  check_not_capturing(context, "giving memory back");
  check(cudaSetDevice(context.device().index), "trim");
  check(cudaDeviceSynchronize(), "trim");
  check(cudaMemPoolTrimTo(memory_pool(context.device().index), 0), "trim");
}

void* allocate(Context& context, size_t bytes) {
  check_not_capturing(context, "an allocation of {} bytes", bytes);
  check(cudaSetDevice(context.device().index), "allocate");
  bytes = std::max<size_t>(bytes, 1);
  void* pointer = nullptr;
  cudaError_t status = cudaMallocAsync(&pointer, bytes, stream(context));
  if (status == cudaErrorMemoryAllocation) {
    // Give back what the pool holds in pieces too small, and try once more.
    cudaGetLastError();
    trim(context);
    status = cudaMallocAsync(&pointer, bytes, stream(context));
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();
      return nullptr;
    }
  }
  check(status, "allocate");
  return pointer;
}

void release(Context& context, void* pointer) {
  check_or_log(cudaFreeAsync(pointer, stream(context)), "release");
}

void* allocate_host(Context& context, size_t bytes) {
  check_not_capturing(context, "an allocation of {} bytes on the host", bytes);
  check(cudaSetDevice(context.device().index), "allocate host memory");
  void* pointer = nullptr;
  const cudaError_t status =
      cudaHostAlloc(&pointer, std::max<size_t>(bytes, 1), cudaHostAllocDefault);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return nullptr;
  }
  check(status, "allocate host memory");
  return pointer;
}

void release_host(Context&, void* pointer) {
  check_or_log(cudaFreeHost(pointer), "release host memory");
}

void copy_bytes(Context& context, void* to, const void* from, size_t bytes, CopyKind kind) {
  if (bytes == 0) return;
  if (kind != CopyKind::device_to_device) {
    check_not_capturing(context, "a copy of {} bytes from or to the host", bytes);
  }
  const cudaMemcpyKind direction = kind == CopyKind::host_to_device   ? cudaMemcpyHostToDevice
                                   : kind == CopyKind::device_to_host ? cudaMemcpyDeviceToHost
                                                                      : cudaMemcpyDeviceToDevice;
  check(cudaMemcpyAsync(to, from, bytes, direction, stream(context)), "copy");
  // The caller may read or free its host memory on return, even where it is page-locked.
  if (kind != CopyKind::device_to_device) check(cudaStreamSynchronize(stream(context)), "copy");
}

void synchronize(Context& context) {
  check_not_capturing(context, "waiting for the device");
  check(cudaStreamSynchronize(stream(context)), "synchronize");
}

MemoryInfo memory(Context& context) {
  check(cudaSetDevice(context.device().index), "memory");
  MemoryInfo info;
  check(cudaMemGetInfo(&info.free, &info.total), "memory");
  info.taken = info.total - info.free;
  // What the pool holds and nobody uses is free to us.
  const cudaMemPool_t pool = memory_pool(context.device().index);
  uint64_t reserved = 0, used = 0;
  check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &reserved), "memory");
  check(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrUsedMemCurrent, &used), "memory");
  info.cached = reserved - std::min(reserved, used);
  info.free += info.cached;
  return info;
}

}  // namespace
}  // namespace cuda

const Runtime cuda_runtime = {
    .name = "cuda",
    .kernels = cuda_kernels,
    .device_count = cuda::device_count,
    .why_no_device = cuda::why_no_device,
    .describe = cuda::describe,
    .examine = cuda::examine,
    .has_tensor_cores = cuda::has_tensor_cores,
    .make_context = cuda::make_context,
    .destroy_stream = cuda::destroy_stream,
    .allocate = cuda::allocate,
    .release = cuda::release,
    .allocate_host = cuda::allocate_host,
    .release_host = cuda::release_host,
    .copy = cuda::copy_bytes,
    .synchronize = cuda::synchronize,
    .trim = cuda::trim,
    .memory = cuda::memory,
    .begin_capture = cuda::begin_capture,
    .end_capture = cuda::end_capture,
};

}  // namespace gestalt
