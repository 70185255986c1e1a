#pragma once

// Philox4x32-10, the counter-based generator of Salmon et al. 2011, "Parallel random numbers: as
// easy as 1, 2, 3". The same header serves the CPU, nvcc and the SIMT executor.
//
// The value of element i of a random op is a pure function of (seed, offset, i): block i / 4 of the
// stream, word i % 4. `offset` counts ops, so that no two ops of a generator share a block.

#include <cstdint>

#if defined(__CUDACC__)
#define GESTALT_HOST_DEVICE __host__ __device__
#else
#define GESTALT_HOST_DEVICE
#endif

namespace gestalt {

struct PhiloxState {
  uint64_t seed = 0;
  uint64_t offset = 0;
};

struct PhiloxBlock {
  uint32_t word[4];
};

GESTALT_HOST_DEVICE inline PhiloxBlock philox(PhiloxState state, uint64_t block) {
  uint32_t c0 = static_cast<uint32_t>(block), c1 = static_cast<uint32_t>(block >> 32);
  uint32_t c2 = static_cast<uint32_t>(state.offset), c3 = static_cast<uint32_t>(state.offset >> 32);
  uint32_t k0 = static_cast<uint32_t>(state.seed), k1 = static_cast<uint32_t>(state.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0;
    const uint64_t p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
    const uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const uint32_t n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// 24 random bits as a float in [0, 1): exact, so the same everywhere.
GESTALT_HOST_DEVICE inline float philox_uniform(uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

}  // namespace gestalt
