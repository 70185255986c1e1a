#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace gestalt::tools {

// f32 [count, size] on the CPU, standard normal: a function of the seed alone, whatever is drawn
// together.
Tensor draw_latents(uint64_t seed, int64_t count, int64_t size);

// `steps` rows from each row of `stations` [N,Z] to the next, that one left out, and the last
// station: [(N - 1) * steps + 1, Z]. On the great circle of their directions, with the lengths
// in between, since normal values lie near a sphere (White 2016, "Sampling Generative Networks").
Tensor interpolate(const Tensor& stations, int64_t steps);

}  // namespace gestalt::tools
