#pragma once

// Naive references in double: the definition of each op, written for reading.

#include "kernels/descriptors.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {

// bias may be null.
Array conv2d_reference(const Array& x, const Array& weight, const Array* bias,
                       const Conv2dDesc& desc);
Array matmul_reference(const Array& a, const Array& b);  // leading dimensions broadcast
Array max_pool2d_reference(const Array& x, const Pool2dDesc& desc);
Array avg_pool2d_reference(const Array& x, const Pool2dDesc& desc);
Array adaptive_avg_pool2d_reference(const Array& x, Pair size);
Array reflection_pad2d_reference(const Array& x, const Padding2d& padding);
Array resize_nearest_reference(const Array& x, Pair size);
Array resize_bilinear_reference(const Array& x, Pair size, const ResizeDesc& desc);

struct BatchStatistics {
  std::vector<double> mean, variance;  // biased
  double count = 0;
};
BatchStatistics batch_statistics(const Array& x);  // of each channel, [N,C,...]
Array batch_norm_reference(const Array& x, const std::vector<double>& weight,
                           const std::vector<double>& bias, const std::vector<double>& mean,
                           const std::vector<double>& variance, double epsilon);

}  // namespace gestalt::cases
