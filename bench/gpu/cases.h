#pragma once

// What bench_gpu measures. bench/pytorch/gpu.py reads the same list (bench_gpu --list) and does the
// same work.

#include <functional>
#include <string>
#include <vector>

#include "kernels/types.h"
#include "tensor/tensor.h"

namespace gestalt::bench {

// Of a convolution or pooling layer: square, padded by half of its kernel.
struct Window {
  int64_t outputs = 0, kernel = 0, stride = 0;  // outputs: channels
};

struct Case {
  std::string operation;  // "topk", "texture" ...
  DType dtype = DType::f32;
  Format format = Format::contiguous;
  Shape shape;          // of the input; of a matrix product, M, K, N
  double fraction = 0;  // kept by Top-K
  Window window{};      // of layers
  // What has to be moved and computed at least: each input read once, each output written once.
  double bytes = 0, operations = 0;
  // Makes the inputs; what it returns is measured.
  std::function<std::function<void()>()> prepare;

  std::string name() const;  // unique
};

// The machine's limits: a copy, and matrix products in bf16 and f32.
std::vector<Case> limit_cases(Device device);
std::vector<Case> topk_cases(Device device);
std::vector<Case> statistics_cases(Device device);  // Gram, AdaIN
std::vector<Case> network_cases(Device device);     // a texture evaluation, a training step
std::vector<Case> layer_cases(Device device);       // of that training step

// Elements of the large inputs: those of [32,128,112,112] on a GPU, few on the CPU, where the same
// list serves to try this program.
int64_t large_numel(Device device);
Tensor random_input(const Case& c, Device device, uint64_t seed = 1);

}  // namespace gestalt::bench
