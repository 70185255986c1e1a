// Linked into a program, this gives it the emulated device, where the environment asks for it.

#include <cstdlib>
#include <cstring>

#include "kernels/set_runtime.h"
#include "tests/simt/device/runtime.h"

namespace gestalt::simt {
namespace {

[[maybe_unused]] const bool installed = [] {
  const char* value = std::getenv("GESTALT_EMULATED_CUDA");
  if (value == nullptr || std::strcmp(value, "1") != 0) return false;
  set_cuda_runtime(emulated_cuda_runtime);
  return true;
}();

}  // namespace
}  // namespace gestalt::simt
