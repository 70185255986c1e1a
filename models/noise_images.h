#pragma once

// (internal to models/) Noise that networks without training are scaled by, f32 [N,3,size,size]: a
// sum of octaves of smooth noise, each with the same power, which is the 1/f amplitude spectrum of
// photographs. The coarsest has 3 cells a side; the deviation is about `deviation`. Made on the
// CPU, whatever the default device: others round otherwise.

#include "tensor/random.h"
#include "tensor/tensor.h"

namespace gestalt::models {

Tensor noise_images(int64_t images, int64_t size, double deviation, Generator& generator);

}  // namespace gestalt::models
