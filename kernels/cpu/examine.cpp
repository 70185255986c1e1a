#include "kernels/cpu/examine.h"

#include <fstream>
#include <thread>

#include "kernels/cpu/features.h"
#include "kernels/error.h"
#include "kernels/parallel.h"
#ifdef GESTALT_WITH_ONEDNN
#include <dnnl.h>
#endif

namespace gestalt::cpu {
namespace {

// The value of the first line "NAME : VALUE" of /proc/cpuinfo; empty where there is none.
std::string cpuinfo(const std::string& name) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with(name) && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

// Those of the instruction sets that decide which code runs.
std::string instruction_sets() {
  const std::string flags = format(" {} ", cpuinfo("flags"));
  std::string found;
  for (const char* name : {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni",
                           "avx512_bf16", "avx512_fp16", "amx_tile", "amx_bf16"}) {
    if (flags.find(format(" {} ", name)) != std::string::npos) found += format(" {}", name);
  }
  return found.empty() ? "unknown" : found.substr(1);
}

}  // namespace

Examination examine() {
  Examination result;
#ifdef GESTALT_WITH_ONEDNN
  result.built.push_back(
      {"oneDNN", format("{}.{}.{}", DNNL_VERSION_MAJOR, DNNL_VERSION_MINOR, DNNL_VERSION_PATCH)});
  const dnnl_version_t* version = dnnl_version();
  result.found.push_back(
      {"oneDNN", format("{}.{}.{}", version->major, version->minor, version->patch)});
  if (version->major != DNNL_VERSION_MAJOR) {
    result.findings.push_back({"oneDNN is another major version than the one compiled with",
                               "rebuild against the installed oneDNN"});
  }
#else
  result.built.push_back({"oneDNN", "none"});
  result.findings.push_back(
      {"built without oneDNN: convolution and matrix products on the CPU are slow",
       "install oneDNN (Debian: libdnnl-dev) and build again; a GPU does not need it"});
#endif
  const std::string model = cpuinfo("model name");
  DeviceExamination processor;
  processor.facts = {
      {"processor", model.empty() ? "unknown" : model},
      {"instruction sets", instruction_sets()},
      {"AVX-512 kernels", has_avx512() ? "used" : "not on this processor; those for AVX2 are used"},
      {"cores", std::to_string(std::thread::hardware_concurrency())},
      {"threads", std::to_string(num_threads())}};
  result.devices.push_back(std::move(processor));
  return result;
}

}  // namespace gestalt::cpu
