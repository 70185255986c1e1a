#if defined(__AVX512BW__)

#include "kernels/cpu/elementary_runs_of.h"

namespace gestalt::cpu {

const ElementaryRuns& elementary_runs_avx512() {
  return ElementaryRunsOf<16>::runs;
}

}  // namespace gestalt::cpu

#endif
