#include "nn/init.h"

#include <cmath>
#include <utility>

#include "tensor/autograd.h"

namespace gestalt::nn {
namespace {

thread_local bool skips = false;

}  // namespace

void init_kaiming_normal(const Tensor& weight, Generator& generator) {
  const auto fan_out = static_cast<double>(weight.numel() / weight.size(1));
  init_normal(weight, 0, std::sqrt(2 / fan_out), generator);
}

void init_fan_in_uniform(const Tensor& tensor, int64_t fan_in, Generator& generator) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(fan_in));
  init_uniform(tensor, -bound, bound, generator);
}

void init_uniform(const Tensor& tensor, double low, double high, Generator& generator) {
  if (skips) return;
  const NoGradGuard no_grad;
  generator.fill_uniform(tensor, low, high);
}

void init_normal(const Tensor& tensor, double mean, double deviation, Generator& generator) {
  if (skips) return;
  const NoGradGuard no_grad;
  generator.fill_normal(tensor, mean, deviation);
}

SkipInitGuard::SkipInitGuard(bool skip) : before_(std::exchange(skips, skips || skip)) {}

SkipInitGuard::~SkipInitGuard() {
  skips = before_;
}

}  // namespace gestalt::nn
