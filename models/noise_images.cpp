#include "models/noise_images.h"

#include <cmath>

#include "nn/resize.h"
#include "tensor/ops/arithmetic.h"

namespace gestalt::models {

Tensor noise_images(int64_t images, int64_t size, double deviation, Generator& generator) {
  Tensor sum = Tensor::zeros({images, 3, size, size}, {.device = Device{}});
  double octaves = 0;
  for (int64_t cells = 3; cells <= size; cells *= 2) {
    const Tensor coarse = generator.normal({images, 3, cells, cells}, 0, 1, {.device = Device{}});
    sum = sum + nn::resize_bilinear(coarse, {size, size});
    ++octaves;
  }
  return sum * (deviation / std::sqrt(octaves));
}

}  // namespace gestalt::models
