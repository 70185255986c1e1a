#include "kernels/cpu/elementary_runs.h"

#include "kernels/cpu/elementary_runs_of.h"
#include "kernels/cpu/features.h"

namespace gestalt::cpu {

const ElementaryRuns& elementary_runs() {
#if defined(__AVX2__)
  if (has_avx512()) return elementary_runs_avx512();
#endif
  return ElementaryRunsOf<8>::runs;
}

}  // namespace gestalt::cpu
