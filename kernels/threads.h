#pragma once

namespace gestalt {

// Threads used by CPU kernels that the calling thread runs; at least 1. A thread begins with the
// number of cores available.
int num_threads();
void set_num_threads(int threads);

}  // namespace gestalt
