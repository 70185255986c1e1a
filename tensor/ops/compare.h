#pragma once

// Comparisons and the choice by their results, with NumPy broadcasting. The result has the layout
// of the first input (a, then b) that already has its shape.

#include "tensor/tensor.h"

namespace gestalt {

// u8: 1 where it holds, else 0, as wherever one of the two is NaN. a, b: any one dtype, one device,
// else Error. A scalar is rounded to x's dtype; Error where x holds integers of which it is none.
// No gradient.
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, const Tensor& b);

Tensor greater(const Tensor& x, double scalar);
Tensor greater_equal(const Tensor& x, double scalar);
Tensor less(const Tensor& x, double scalar);
Tensor less_equal(const Tensor& x, double scalar);
Tensor equal(const Tensor& x, double scalar);

// a where the condition (u8) is not 0, else b; a, b: any one dtype; all on one device, else Error.
// Gradients to a and b, 0 where the other was chosen, whatever came back for it (NaN too).
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// The greater (smaller) of each two; NaN where one of them is. a, b: one floating dtype and device,
// else Error. The gradient goes to the one that was taken, half to each where they are equal, to
// both where one is NaN, as in torch.maximum; with a scalar: clamp (tensor/ops/unary.h).
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

}  // namespace gestalt
