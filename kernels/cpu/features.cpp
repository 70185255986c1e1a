#include "kernels/cpu/features.h"

namespace gestalt::cpu {

bool has_avx512() {
#if defined(__x86_64__)
  static const bool found = [] {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
  }();
  return found;
#else
  return false;
#endif
}

}  // namespace gestalt::cpu
