#pragma once

// Arithmetic with NumPy broadcasting: floating dtypes, both inputs of one dtype and device, else
// Error. The result has the layout of the input that already has its shape. Gradients are summed
// over the dimensions that were stretched.

#include "tensor/tensor.h"

namespace gestalt {

Tensor add(const Tensor& a, const Tensor& b);
Tensor subtract(const Tensor& a, const Tensor& b);
Tensor multiply(const Tensor& a, const Tensor& b);
Tensor divide(const Tensor& a, const Tensor& b);

// i64, too, with a whole scalar.
Tensor add(const Tensor& x, double scalar);
Tensor multiply(const Tensor& x, double scalar);
// By the scalar itself, rounded to x's dtype; `x / scalar` is the product with its reciprocal,
// which is cheaper and may differ in the last bit.
Tensor divide(const Tensor& x, double scalar);

// y += scale * x and y *= scalar: not differentiable, so not allowed where autograd follows y or x.
// x broadcasts to y's shape, and may share memory with y: it is read before y changes.
void add_in_place(Tensor& y, const Tensor& x, double scale = 1);
void multiply_in_place(Tensor& y, double scalar);

inline Tensor operator+(const Tensor& a, const Tensor& b) {
  return add(a, b);
}
inline Tensor operator-(const Tensor& a, const Tensor& b) {
  return subtract(a, b);
}
inline Tensor operator*(const Tensor& a, const Tensor& b) {
  return multiply(a, b);
}
inline Tensor operator/(const Tensor& a, const Tensor& b) {
  return divide(a, b);
}
inline Tensor operator-(const Tensor& x) {
  return multiply(x, -1);
}
inline Tensor operator+(const Tensor& x, double scalar) {
  return add(x, scalar);
}
inline Tensor operator+(double scalar, const Tensor& x) {
  return add(x, scalar);
}
inline Tensor operator-(const Tensor& x, double scalar) {
  return add(x, -scalar);
}
inline Tensor operator-(double scalar, const Tensor& x) {
  return add(-x, scalar);
}
inline Tensor operator*(const Tensor& x, double scalar) {
  return multiply(x, scalar);
}
inline Tensor operator*(double scalar, const Tensor& x) {
  return multiply(x, scalar);
}
inline Tensor operator/(const Tensor& x, double scalar) {
  return multiply(x, 1 / scalar);
}
Tensor operator/(double scalar, const Tensor& x);

}  // namespace gestalt
