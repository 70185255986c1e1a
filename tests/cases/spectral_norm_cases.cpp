// Spectral normalization against its definition in double. The inputs are weight, u and v; the
// outputs the normalized weight and, where they are moved, u and v.

#include <cmath>

#include "nn/spectral_norm.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

using Tensors = std::vector<Tensor>;
using Arrays = std::vector<Array>;
using Vector = std::vector<double>;

void normalize(Vector& x) {
  double sum = 0;
  for (double value : x) sum += value * value;
  for (double& value : x) value /= std::max(std::sqrt(sum), 1e-12);
}

// The weight's element of a row and a column of the matrix.
size_t element(const Shape& shape, int dim, int64_t row, int64_t column) {
  const int64_t rows = shape[dim], columns = shape.numel() / rows;
  if (dim == 0) return static_cast<size_t>(row * columns + column);
  const int64_t inner = columns / shape[0];
  return static_cast<size_t>((column / inner * rows + row) * inner + column % inner);
}

Arrays reference(const Arrays& in, const nn::SpectralNormDesc& desc, bool update) {
  const Array& w = in[0];
  const auto at = [&](int64_t row, int64_t column) {
    return w.values[element(w.shape, desc.dim, row, column)];
  };
  Array u = in[1], v = in[2];
  const int64_t rows = u.shape.numel(), columns = v.shape.numel();
  Vector image(rows);
  const auto multiply = [&] {
    for (int64_t r = 0; r < rows; ++r) {
      image[r] = 0;
      for (int64_t c = 0; c < columns; ++c) image[r] += at(r, c) * v.values[c];
    }
  };
  for (int i = 0; update && i < desc.iterations; ++i) {
    for (int64_t c = 0; c < columns; ++c) {
      v.values[c] = 0;
      for (int64_t r = 0; r < rows; ++r) v.values[c] += at(r, c) * u.values[r];
    }
    normalize(v.values);
    multiply();
    u.values = image;
    normalize(u.values);
  }
  multiply();
  double sigma = 0;
  for (int64_t r = 0; r < rows; ++r) sigma += u.values[r] * image[r];
  Array y = w;
  for (double& value : y.values) value /= sigma;
  if (!update) return {y};
  return {y, u, v};
}

// u and v are f32 (f64 with f64 weights).
Tensor stat(const Tensor& x) {
  return x.to(x.dtype() == DType::f64 ? DType::f64 : DType::f32).clone();
}

OpCase spectral_case(const std::string& name, Input weight, const nn::SpectralNormDesc& desc,
                     bool update = true) {
  const int64_t rows = weight.shape[desc.dim], columns = weight.shape.numel() / rows;
  return {.name = "spectral_normalize/" + name,
          .inputs = {std::move(weight),
                     {.shape = {rows}, .low = 0.1, .gradient = false},
                     {.shape = {columns}, .low = 0.1, .gradient = false}},
          .run = [desc, update](const Tensors& in) -> Tensors {
            Tensor u = stat(in[1]), v = stat(in[2]);
            const Tensor y = nn::spectral_normalize(in[0], u, v, desc, update);
            if (!update) return {y};
            return {y, u, v};
          },
          .reference = [desc, update](const Arrays& in) { return reference(in, desc, update); },
          .tolerance_f32 = 4e-6,
          // To the gradient u and v are constants, which finite differences would move.
          .differentiable = !update};
}

constexpr Layout last = Layout::channels_last;

// The weight lies near 0.5, so that its largest singular value stands out.
const bool added = add_cases({
    spectral_case("convolution", {.shape = {5, 3, 3, 3}, .low = 0}, {}),
    spectral_case("channels_last", {.shape = {5, 3, 3, 3}, .low = 0, .layout = last}, {}),
    spectral_case("matrix", {.shape = {7, 9}, .low = 0}, {}),
    spectral_case("strided", {.shape = {4, 3, 2, 5}, .low = 0, .layout = Layout::strided}, {}),
    spectral_case("one_row", {.shape = {1, 6, 1, 1}, .low = 0}, {}),
    spectral_case("one_column", {.shape = {6, 1, 1, 1}, .low = 0}, {}),
    spectral_case("two_steps", {.shape = {5, 3, 3, 3}, .low = 0, .layout = last},
                  {.iterations = 2}),
    spectral_case("second_dimension", {.shape = {4, 5, 2, 2}, .low = 0}, {.dim = 1}),
    spectral_case("second_dimension_channels_last",
                  {.shape = {4, 5, 2, 2}, .low = 0, .layout = last}, {.dim = 1}),
    spectral_case("many_rows", {.shape = {300, 20, 1, 1}, .low = 0}, {}),
    spectral_case("many_columns", {.shape = {18, 60, 4, 4}, .low = 0, .layout = last}, {}),
    spectral_case("three_rows", {.shape = {3, 9000}, .low = 0}, {}),
    spectral_case("as_they_are", {.shape = {5, 3, 3, 3}, .low = 0}, {}, false),
    spectral_case("as_they_are_channels_last", {.shape = {5, 3, 3, 2}, .low = 0, .layout = last},
                  {}, false),
    spectral_case("as_they_are_second_dimension", {.shape = {3, 4, 2, 2}, .low = 0}, {.dim = 1},
                  false),
    spectral_case("as_they_are_large", {.shape = {40, 300}, .low = 0}, {}, false),
});

}  // namespace
}  // namespace gestalt::cases
