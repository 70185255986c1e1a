#pragma once

// OpCase: one op on one set of inputs, described once and used by every test and benchmark: forward
// against a naive reference in double, gradcheck in f64 on the CPU, gradients of the other dtypes
// and devices against the CPU's f64 ones.

#include <functional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt::cases {

// A reference's view of a tensor: values in logical (row-major) order.
struct Array {
  Shape shape;
  std::vector<double> values;

  Array() = default;
  explicit Array(const Shape& shape) : shape(shape), values(shape.numel()) {}
  Array(const Shape& shape, std::vector<double> values) : shape(shape), values(std::move(values)) {}

  double& operator()(int64_t n, int64_t c, int64_t h, int64_t w) {
    return values[((n * shape[1] + c) * shape[2] + h) * shape[3] + w];
  }
  double operator()(int64_t n, int64_t c, int64_t h, int64_t w) const {
    return values[((n * shape[1] + c) * shape[2] + h) * shape[3] + w];
  }
};

enum class Layout {
  contiguous,
  channels_last,  // rank 4
  strided,        // every other element of a buffer twice as long in the last dimension
};

struct Input {
  Shape shape;
  double low = -1, high = 1;        // uniform in [low, high), the same for every run of a case
  std::vector<double> values = {};  // instead of random ones
  Layout layout = Layout::contiguous;
  bool gradient = true;  // asked for in the gradient tests
  bool integer = false;  // i64 whatever the dtype under test
};

struct OpCase {
  std::string name;  // "conv2d/stride2_3x3"; the part before '/' is the op
  std::vector<Input> inputs;
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> run;
  std::function<std::vector<Array>(const std::vector<Array>&)> reference;

  std::vector<DType> dtypes = {DType::f32, DType::bf16, DType::f16, DType::f64};
  // Largest allowed |got - expected| / (|expected| + rms of all expected), forward; gradients get
  // four times as much.
  double tolerance_f32 = 1e-6;
  double tolerance_bf16 = 1e-2;
  double tolerance_f16 = 2e-3;
  double tolerance_f64 = 1e-11;
  // Whether outputs are differentiable; false for argmax and the like.
  bool differentiable = true;
  // For benchmarks: work of one forward run.
  double flops = 0, bytes = 0;
};

// Adds cases to the one list; returns true so that a file can do it at its top level:
//   const bool added = add_cases({...});
bool add_cases(std::vector<OpCase> cases);
const std::vector<OpCase>& all_cases();

double tolerance(const OpCase& op_case, DType dtype);

// The case's inputs as tensors; values are rounded to `dtype`, the same for every device and
// layout.
std::vector<Tensor> make_inputs(const OpCase& op_case, DType dtype, Device device);
// Of `dtype`, with values rounded to `rounded`: what a run in that dtype is compared with.
std::vector<Tensor> make_inputs(const OpCase& op_case, DType dtype, Device device, DType rounded);
Array to_array(const Tensor& tensor);

// The worst element by the measure above; matches where NaN meets NaN and inf the same inf. With a
// tolerance of 0 a zero matches that of its own sign alone.
struct Comparison {
  bool ok = true;
  std::string message;  // index and both values of the worst element, or how the shapes differ
};
Comparison compare(const Array& got, const Array& expected, double tolerance);

}  // namespace gestalt::cases
