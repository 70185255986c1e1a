#include "kernels/parallel.h"

#include <exception>
#include <omp.h>

#include "kernels/rounding.h"

namespace gestalt {

void parallel_ranges(int64_t size, int64_t grain, RangeBody body, const void* closure) {
  if (size <= 0) return;
  const int64_t most = ceil_div(size, std::max<int64_t>(grain, 1));
  const int threads = static_cast<int>(std::min<int64_t>(num_threads(), most));
  if (threads <= 1 || omp_in_parallel()) {
    body(closure, 0, size);
    return;
  }
  std::exception_ptr error;
#pragma omp parallel num_threads(threads)
  {
    const int64_t chunk = ceil_div(size, omp_get_num_threads());
    const int64_t begin = omp_get_thread_num() * chunk;
    const int64_t end = std::min(size, begin + chunk);
    try {
      if (begin < end) body(closure, begin, end);
    } catch (...) {
#pragma omp critical(gestalt_parallel_error)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace gestalt
