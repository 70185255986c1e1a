#pragma once

// Random numbers of a training by what they are for and where it is: functions of the seed and a
// step alone, so that a run goes on to the same bits with nothing but the step saved.

#include <cstdint>

#include "tensor/random.h"

namespace gestalt::tools {

enum class Stream : uint64_t { step = 1, images, evaluation, pictures, perturbation, noise };

// Streams of different `place` are disjoint as long as each takes fewer than 2^24 draws.
inline Generator random_stream(uint64_t seed, Stream stream, int64_t place) {
  Generator generator(seed ^ (0x666577'73686F74u + (static_cast<uint64_t>(stream) << 56)));
  generator.set_state({generator.state().seed, static_cast<uint64_t>(place) << 24});
  return generator;
}

}  // namespace gestalt::tools
