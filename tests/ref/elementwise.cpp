#include "tests/ref/elementwise.h"

#include <algorithm>

namespace gestalt::cases::ref {

Shape index_of(const Shape& shape, int64_t flat) {
  Shape index = shape;
  for (int dim = shape.rank() - 1; dim >= 0; --dim) {
    index[dim] = flat % shape[dim];
    flat /= shape[dim];
  }
  return index;
}

double at(const Array& x, const Shape& index) {
  int64_t flat = 0;
  for (int dim = 0; dim < x.shape.rank(); ++dim) {
    const int64_t i = index[dim - x.shape.rank()];  // aligned at the end
    flat = flat * x.shape[dim] + (x.shape[dim] == 1 ? 0 : i);
  }
  return x.values[flat];
}

Array map(const Array& x, const std::function<double(double)>& f) {
  Array y(x.shape);
  for (size_t i = 0; i < y.values.size(); ++i) y.values[i] = f(x.values[i]);
  return y;
}

Array map(const Array& a, const Array& b, const std::function<double(double, double)>& f) {
  const int rank = std::max(a.shape.rank(), b.shape.rank());
  Shape shape = Shape::filled(rank, 1);
  for (int i = 1; i <= rank; ++i) {
    const int64_t from_a = i <= a.shape.rank() ? a.shape[-i] : 1;
    const int64_t from_b = i <= b.shape.rank() ? b.shape[-i] : 1;
    shape[-i] = from_a == 1 ? from_b : from_a;
  }
  Array y(shape);
  for (size_t i = 0; i < y.values.size(); ++i) {
    const Shape index = index_of(shape, static_cast<int64_t>(i));
    y.values[i] = f(at(a, index), at(b, index));
  }
  return y;
}

Array fold(const Array& x, const std::vector<int>& dims, double start,
           const std::function<double(double, double)>& f) {
  Shape shape = x.shape;
  for (int dim = 0; dim < shape.rank(); ++dim) {
    if (dims.empty() || std::count(dims.begin(), dims.end(), dim) > 0) shape[dim] = 1;
  }
  Array y(shape);
  std::fill(y.values.begin(), y.values.end(), start);
  for (size_t i = 0; i < x.values.size(); ++i) {
    const Shape index = index_of(x.shape, static_cast<int64_t>(i));
    int64_t to = 0;
    for (int dim = 0; dim < shape.rank(); ++dim) {
      to = to * shape[dim] + (shape[dim] == 1 ? 0 : index[dim]);
    }
    y.values[to] = f(y.values[to], x.values[i]);
  }
  return y;
}

Array reshaped(const Array& x, const Shape& shape) {
  return {shape, x.values};
}

}  // namespace gestalt::cases::ref
