#include <cmath>

#include "nn/activations.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

// The first half of dimension 1 times the sigmoid of the second.
Array glu_reference(const Array& x) {
  Shape shape = x.shape;
  shape[1] /= 2;
  Array y(shape);
  int64_t inner = 1;
  for (int dim = 2; dim < shape.rank(); ++dim) inner *= shape[dim];
  const int64_t half = shape[1] * inner;
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const int64_t value = i + i / half * half;
    y.values[i] = x.values[value] / (1 + std::exp(-x.values[value + half]));
  }
  return y;
}

OpCase make(const std::string& name, Input input) {
  input.low = -3;
  input.high = 3;
  return {
      .name = "glu/" + name,
      .inputs = {std::move(input)},
      .run = [](const std::vector<Tensor>& in) { return std::vector{nn::glu(in[0])}; },
      .reference = [](const std::vector<Array>& in) { return std::vector{glu_reference(in[0])}; },
      .tolerance_f32 = 2e-6};
}

// Gates at and beyond the ends of the exponential's range.
OpCase wide(Input input) {
  OpCase result = make("wide", std::move(input));
  result.inputs[0].low = -200;
  result.inputs[0].high = 200;
  return result;
}

const bool added = add_cases({
    make("one", {.shape = {1, 2}}),
    make("none", {.shape = {0, 4, 3, 3}}),
    make("rows", {.shape = {5, 34}}),
    make("images", {.shape = {2, 6, 7, 9}}),
    make("strided", {.shape = {2, 4, 3, 5}, .layout = Layout::strided}),
    make("channels_last", {.shape = {2, 6, 5, 3}, .layout = Layout::channels_last}),
    make("channels_last_vectors", {.shape = {2, 32, 3, 3}, .layout = Layout::channels_last}),
    make("one_gate_channels_last", {.shape = {2, 2, 3, 3}, .layout = Layout::channels_last}),
    make("sequences", {.shape = {2, 6, 11}}),
    make("volumes", {.shape = {2, 4, 2, 3, 3}}),
    make("several_blocks", {.shape = {1, 4, 71, 67}}),
    wide({.shape = {1, 4, 3, 11}}),
});

}  // namespace
}  // namespace gestalt::cases
