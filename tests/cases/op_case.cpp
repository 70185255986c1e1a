#include "tests/cases/op_case.h"

#include <cmath>
#include <random>

#include "kernels/error.h"
#include "tensor/autograd.h"

namespace gestalt::cases {
namespace {

std::vector<OpCase>& list() {
  static std::vector<OpCase> cases;
  return cases;
}

uint64_t hash(const std::string& text) {
  uint64_t h = 1469598103934665603ull;
  for (unsigned char c : text) h = (h ^ c) * 1099511628211ull;
  return h;
}

std::vector<double> draw(const OpCase& op_case, size_t index) {
  const Input& input = op_case.inputs[index];
  if (!input.values.empty() || input.shape.numel() == 0) return input.values;
  std::mt19937_64 engine(hash(op_case.name) + index);
  std::vector<double> values(input.shape.numel());
  for (double& value : values) {
    const double unit = static_cast<double>(engine() >> 11) * 0x1p-53;
    value = input.low + (input.high - input.low) * unit;
  }
  return values;
}

Tensor lay_out(const Tensor& tensor, Layout layout) {
  if (layout == Layout::channels_last) return tensor.contiguous(Format::channels_last);
  if (layout == Layout::contiguous || tensor.rank() == 0) return tensor;
  Shape wide = tensor.shape();
  wide[-1] *= 2;
  Tensor buffer = Tensor::full(wide, 77, tensor.options());
  Strides strides = buffer.strides();
  strides[-1] = 2;
  Tensor strided = buffer.as_strided(tensor.shape(), strides, 0);
  strided.copy_(tensor);
  return strided;
}

std::string position(const Shape& shape, int64_t flat) {
  Shape index = shape;
  for (int dim = shape.rank() - 1; dim >= 0; --dim) {
    index[dim] = flat % shape[dim];
    flat /= shape[dim];
  }
  return to_string(index);
}

}  // namespace

bool add_cases(std::vector<OpCase> cases) {
  for (OpCase& op_case : cases) list().push_back(std::move(op_case));
  return true;
}

const std::vector<OpCase>& all_cases() {
  return list();
}

double tolerance(const OpCase& op_case, DType dtype) {
  switch (dtype) {
    case DType::f64:
      return op_case.tolerance_f64;
    case DType::bf16:
      return op_case.tolerance_bf16;
    case DType::f16:
      return op_case.tolerance_f16;
    default:
      return op_case.tolerance_f32;
  }
}

std::vector<Tensor> make_inputs(const OpCase& op_case, DType dtype, Device device) {
  return make_inputs(op_case, dtype, device, dtype);
}

std::vector<Tensor> make_inputs(const OpCase& op_case, DType dtype, Device device, DType rounded) {
  const NoGradGuard no_grad;
  std::vector<Tensor> tensors;
  for (size_t i = 0; i < op_case.inputs.size(); ++i) {
    const Input& input = op_case.inputs[i];
    const Tensor wide = Tensor::from_vector(draw(op_case, i), input.shape, {.device = Device{}});
    const Tensor typed =
        (input.integer ? wide.to(DType::i64) : wide.to(rounded).to(dtype)).to(device);
    tensors.push_back(lay_out(typed, input.layout));
  }
  return tensors;
}

Array to_array(const Tensor& tensor) {
  return {tensor.shape(), tensor.to_vector<double>()};
}

Comparison compare(const Array& got, const Array& expected, double tolerance) {
  if (!(got.shape == expected.shape)) {
    return {false, format("shape {}, expected {}", got.shape, expected.shape)};
  }
  double squares = 0;
  int64_t finite = 0;
  for (double value : expected.values) {
    if (std::isfinite(value)) {
      squares += value * value;
      ++finite;
    }
  }
  const double rms = finite > 0 ? std::sqrt(squares / static_cast<double>(finite)) : 0;
  double worst = -1;
  int64_t worst_index = -1;
  for (size_t i = 0; i < expected.values.size(); ++i) {
    const double a = got.values[i], b = expected.values[i];
    const bool same = a == b && (tolerance > 0 || std::signbit(a) == std::signbit(b));
    if (same || (std::isnan(a) && std::isnan(b))) continue;
    double error = std::abs(a - b) / (std::abs(b) + rms);
    // NaN or inf where a number was expected; or the other zero.
    if (std::isnan(error) || a == b) error = INFINITY;
    if (error > worst) {
      worst = error;
      worst_index = static_cast<int64_t>(i);
    }
  }
  if (worst_index < 0 || worst <= tolerance) return {};
  return {false, format("at {}: got {}, expected {} (error {}, allowed {})",
                        position(expected.shape, worst_index), got.values[worst_index],
                        expected.values[worst_index], worst, tolerance)};
}

}  // namespace gestalt::cases
