#pragma once

// While it lives, libraries called from this thread use one OpenMP thread. Kernels that split their
// work themselves, by shape alone, run library calls so: the bits can't depend on the thread count.

#include <omp.h>

namespace gestalt::cpu {

class SingleThread {
 public:
  SingleThread() { omp_set_num_threads(1); }
  ~SingleThread() { omp_set_num_threads(before_); }
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;

 private:
  int before_ = omp_get_max_threads();
};

}  // namespace gestalt::cpu
