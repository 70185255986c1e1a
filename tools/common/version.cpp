#include "tools/common/version.h"

#include "kernels/runtime.h"

namespace gestalt::tools {

std::string version_text() {
  std::string text = "gestalt " GESTALT_VERSION ", backends:";
  for (DeviceType type : {DeviceType::cpu, DeviceType::cuda}) {
    const Runtime* backend = runtime(type);
    if (backend == nullptr) continue;
    text += std::string(" ") + backend->name;
    if (backend->device_count() == 0) text += " (no device)";
  }
  return text;
}

}  // namespace gestalt::tools
