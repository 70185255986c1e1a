#include "kernels/threads.h"

#include <algorithm>
#include <omp.h>

namespace gestalt {

int num_threads() {
  return omp_get_max_threads();
}
void set_num_threads(int threads) {
  omp_set_num_threads(std::max(threads, 1));
}

}  // namespace gestalt
