#include "nn/init.h"

#include <cmath>

#include "tensor/autograd.h"

namespace gestalt::nn {

void init_kaiming_normal(Tensor& weight, Generator& generator) {
  const auto fan_out = static_cast<double>(weight.numel() / weight.size(1));
  init_normal(weight, 0, std::sqrt(2 / fan_out), generator);
}

void init_normal(Tensor& tensor, double mean, double deviation, Generator& generator) {
  const NoGradGuard no_grad;
  generator.fill_normal(tensor, mean, deviation);
}

}  // namespace gestalt::nn
