#include "kernels/cuda/examine.h"

#include "kernels/cuda/architectures.h"
#include "kernels/cuda/library/versions.h"

namespace gestalt::cuda {
namespace {

DeviceExamination examine_device(int index) {
  DeviceExamination result{.device = {DeviceType::cuda, index}, .facts = {}, .findings = {}};
  cudaDeviceProp properties;
  if (const cudaError_t status = cudaGetDeviceProperties(&properties, index);
      status != cudaSuccess) {
    cudaGetLastError();
    result.findings.push_back(
        {format("its properties can't be read: {}", cudaGetErrorString(status)),
         "see whether nvidia-smi lists it"});
    return result;
  }
  result.facts = {
      {"name", properties.name},
      {"compute capability", format("{}.{}", properties.major, properties.minor)},
      {"memory", format("{} MiB", properties.totalGlobalMem >> 20)},
      {"multiprocessors", std::to_string(properties.multiProcessorCount)},
      {"L2 cache", format("{} MiB", properties.l2CacheSize >> 20)},
      {"shared memory of a block", format("{} KiB", properties.sharedMemPerBlockOptin >> 10)}};
  if (!has_code_for(GESTALT_CUDA_ARCHITECTURES, properties.major, properties.minor)) {
    result.findings.push_back(
        {format("the build has no code for it: built for {}, it is {}{}",
                GESTALT_CUDA_ARCHITECTURES, properties.major, properties.minor),
         format("build again with -DGESTALT_CUDA_ARCHITECTURES={}{}", properties.major,
                properties.minor)});
  }
  return result;
}

// Adds the version of a library to what was found, or why it can't be loaded to the findings.
bool examine_library(Examination& result, const char* name, std::string (*version)()) {
  try {
    result.found.push_back({name, version()});
    return true;
  } catch (const Error& error) {
    result.found.push_back({name, "not found"});
    result.findings.push_back(
        {error.what(), format("install {} or name its folder in LD_LIBRARY_PATH", name)});
    return false;
  }
}

Finding no_device(cudaError_t status, int driver) {
  if (driver == 0) {
    return {"no NVIDIA driver: the GPU, if there is one, can't be used",
            "install the driver and see whether nvidia-smi runs; without a GPU nothing is missing"};
  }
  if (status == cudaErrorInsufficientDriver) {
    return {format("the driver is too old: it is for CUDA {}, the build for {}",
                   cuda_version(driver), cuda_version(CUDART_VERSION)),
            "update the driver, or build with an older CUDA toolkit"};
  }
  if (status == cudaErrorSystemNotReady) {
    return {
        "the system is not ready to use its GPUs",
        "where they are joined by NVSwitch: see that nvidia-fabricmanager runs, in the driver's "
        "version"};
  }
  return {format("there is a driver, but no GPU to use ({})", cudaGetErrorString(status)),
          "look at nvidia-smi and at the environment variable CUDA_VISIBLE_DEVICES"};
}

void compare_cudnn(Examination& result) {
  const size_t loaded = cudnn().cudnnGetVersion();
  if (loaded / 10000 != CUDNN_MAJOR) {
    result.findings.push_back({format("cuDNN {} is loaded, the build is for {}",
                                      cudnn_version(loaded), cudnn_version(CUDNN_VERSION)),
                               format("install cuDNN {}, or build again", CUDNN_MAJOR)});
  } else if (loaded < CUDNN_VERSION) {
    result.findings.push_back(
        {format("cuDNN {} is loaded, older than the {} compiled with", cudnn_version(loaded),
                cudnn_version(CUDNN_VERSION)),
         "see which one the loader finds first (ldd, LD_LIBRARY_PATH), or build again"});
  }
}

}  // namespace

NoDevice why_no_device() {
  int driver = 0, count = 0;
  cudaDriverGetVersion(&driver);
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  return {.has_driver = driver != 0, .finding = no_device(status, driver)};
}

Examination examine() {
  Examination result;
  result.built = {{"CUDA", cuda_version(CUDART_VERSION)},
                  {"cuDNN", cudnn_version(CUDNN_VERSION)},
                  {"architectures", GESTALT_CUDA_ARCHITECTURES}};
  int driver = 0, count = 0;
  cudaDriverGetVersion(&driver);
  result.found = {{"driver for CUDA", driver == 0 ? "no driver" : cuda_version(driver)}};
  if (examine_library(result, "cuDNN", loaded_cudnn_version)) compare_cudnn(result);
  examine_library(result, "cuBLAS", loaded_cublas_version);
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
    result.findings.push_back(why_no_device().finding);
    return result;
  }
  for (int i = 0; i < count; ++i) result.devices.push_back(examine_device(i));
  return result;
}

}  // namespace gestalt::cuda
