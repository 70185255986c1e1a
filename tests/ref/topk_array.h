#pragma once

// Top-K of an array's rows by a stable sort, and the arrays that its cases need.

#include <algorithm>

#include "kernels/descriptors.h"
#include "tests/cases/op_case.h"
#include "tests/ref/topk.h"

namespace gestalt::cases {

inline Array topk_reference(const Array& x, const TopKDesc& desc) {
  const int64_t length = x.shape[2] * x.shape[3];
  Array y(x.shape);
  for (int64_t r = 0; r < x.shape[0] * x.shape[1]; ++r) {
    const auto begin = x.values.begin() + r * length;
    const std::vector<double> row(begin, begin + length);
    const std::vector<bool> kept = ref::topk_mask(row, desc.k);
    for (int64_t i = 0; i < length; ++i) {
      const bool passed = kept[i] == (desc.mode == TopKMode::keep);
      const double tau = desc.tau, sparse = passed ? row[i] : 0;
      y.values[r * length + i] = tau == 1 ? sparse : tau * sparse + (1 - tau) * row[i];
    }
  }
  return y;
}

inline Array relu_topk_reference(Array x, const FusedTopK& topk) {
  for (double& value : x.values) value = value < 0 ? 0 : value;
  return topk ? topk_reference(x, *topk) : x;
}

}  // namespace gestalt::cases
