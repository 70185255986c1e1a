#pragma once

// ResNet-18's convolutions on batches of 224x224 images, channels-last, in f32 and bf16: forward
// and both gradients.

#include <vector>

#include "bench/gpu/cases.h"
#include "kernels/descriptors.h"

namespace gestalt::bench {

int64_t resnet18_batch(Device device);  // 128; 1 on a CPU

// Of a layer with a window.
Shape window_output_shape(const Case& c);
double case_bytes(const Case& c, const Shape& shape);

struct Convolution {
  Tensor x, w, y;
  Conv2dDesc desc;
};
Convolution make_convolution(const Case& c, Device device);

// Operations "conv2d", "conv2d_backward_data" and "conv2d_backward_weights". of_each_kind: one of
// each kernel size and stride, and of each size of images. Either way with the first one's images
// padded to four channels, too.
enum class Convolutions { of_each_kind, all };
std::vector<Case> convolution_cases(Device device, Convolutions which);

}  // namespace gestalt::bench
