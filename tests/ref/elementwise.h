#pragma once

// Naive references in double for elementwise functions and reductions, with NumPy broadcasting.

#include <functional>
#include <vector>

#include "tests/cases/op_case.h"

namespace gestalt::cases::ref {

// The multi-index of element `flat` in row-major order, and back; sizes 1 of `shape` broadcast.
Shape index_of(const Shape& shape, int64_t flat);
double at(const Array& x, const Shape& index);

Array map(const Array& x, const std::function<double(double)>& f);
Array map(const Array& a, const Array& b, const std::function<double(double, double)>& f);
// Folds the elements along `dims` (all where empty) in order; keeps the dimensions.
Array fold(const Array& x, const std::vector<int>& dims, double start,
           const std::function<double(double, double)>& f);
// The same values under another shape.
Array reshaped(const Array& x, const Shape& shape);

}  // namespace gestalt::cases::ref
