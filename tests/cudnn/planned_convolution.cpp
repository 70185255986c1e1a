#include "tests/cudnn/planned_convolution.h"

#include <map>

#include "kernels/cuda/library/conv2d_plan.h"

namespace gestalt::cuda {
namespace {

// The device's properties as CUDA reports them, under cuDNN's names.
std::string properties_of(PlannedDevice device) {
  struct Numbers {
    const char* name;
    int version, processors, shared_memory, blocks, threads, clock, memory_clock;
    int64_t l2, memory;
  };
  constexpr int64_t mib = 1 << 20;
  constexpr Numbers all[] = {
      {"Tesla T4", 750, 40, 65536, 16, 1024, 1590000, 5001000, 4 * mib, 15095 * mib},
      {"NVIDIA A100-SXM4-80GB", 800, 108, 166912, 32, 2048, 1410000, 1593000, 40 * mib,
       81152 * mib},
      {"NVIDIA H100 80GB HBM3", 900, 132, 232448, 32, 2048, 1980000, 2619000, 50 * mib,
       81079 * mib},
      {"NVIDIA H200", 900, 132, 232448, 32, 2048, 1980000, 3201000, 60 * mib, 143167 * mib}};
  const Numbers& n = all[static_cast<size_t>(device)];
  return format(
      R"({"deviceName":"{}","deviceVer":{},"driverVer":13000,"cudaDeviceId":0,"pciDeviceId":0,)"
      R"("totalGlobalMem":{},"multiProcessorCount":{},"smClockRateKHz":{},"memClockRateKHz":{},)"
      R"("l2CacheSize":{},"maxSharedMemoryPerBlock":49152,"maxSharedMemoryPerBlockOptin":{},)"
      R"("maxCtasPerSM":{},"maxThreadsPerSM":{},"reservedSharedMemoryPerBlock":1024,)"
      R"("regsPerBlock":65536,"maxRegistersPerSM":65536,"maxThreadsPerBlock":1024,"warpSize":32,)"
      R"("maxGridSize":[2147483647,65535,65535],"maxBlockSize":[1024,1024,64],"isTccDriver":0,)"
      R"("supportCoopLaunch":1})",
      n.name, n.version, n.memory, n.processors, n.clock, n.memory_clock, n.l2, n.shared_memory,
      n.blocks, n.threads);
}

#if CUDNN_VERSION >= 90800
const Descriptor& descriptor_of(PlannedDevice device) {
  static std::map<PlannedDevice, Descriptor> descriptors;
  auto found = descriptors.find(device);
  if (found == descriptors.end()) {
    const std::string properties = properties_of(device);
    Descriptor descriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    descriptor.set(CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                   std::span(properties.c_str(), properties.size() + 1));
    descriptor.finalize();
    found = descriptors.emplace(device, std::move(descriptor)).first;
  }
  return found->second;
}
#endif

}  // namespace

std::string why_nothing_is_planned() {
#if CUDNN_VERSION >= 90800
  try {
    const size_t version = cudnn().cudnnGetVersion();
    return version >= 90800 ? "" : format("cuDNN {} plans for no device that isn't here", version);
  } catch (const Error& error) {
    return error.what();
  }
#else
  return "built with a cuDNN before 9.8, which plans for no device that isn't here";
#endif
}

std::optional<PlannedConvolution> plan_convolution(
    [[maybe_unused]] PlannedDevice device, [[maybe_unused]] const Conv2dProblem& problem,
    [[maybe_unused]] const std::function<bool(const PlannedConvolution&)>& accepts) {
#if CUDNN_VERSION >= 90800
  std::optional<PlannedConvolution> planned;
  make_plan(problem, {.properties = &descriptor_of(device)}, [&](const Plan& plan) {
    planned = {.engine = plan.config().engine(),
               .notes = plan.config().notes(),
               .workspace_bytes = plan.workspace_bytes()};
    if (!accepts || accepts(*planned)) return true;
    planned.reset();
    return false;
  });
  return planned;
#else
  throw Error(why_nothing_is_planned());
#endif
}

}  // namespace gestalt::cuda
