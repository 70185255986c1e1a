#include <cmath>

#include "tensor/ops/arithmetic.h"
#include "tests/cases/op_case.h"
#include "tests/ref/elementwise.h"

namespace gestalt::cases {
namespace {

struct Operation {
  std::string name;
  Tensor (*run)(const Tensor&, const Tensor&);
  double (*reference)(double, double);
};

const Operation operations[] = {
    {"add", add, [](double a, double b) { return a + b; }},
    {"subtract", subtract, [](double a, double b) { return a - b; }},
    {"multiply", multiply, [](double a, double b) { return a * b; }},
    {"divide", divide, [](double a, double b) { return a / b; }},
};

// Two inputs; b keeps away from zero, for division.
OpCase make(const Operation& operation, const std::string& name, Input a, Input b) {
  b.low = 0.5;
  b.high = 2;
  return {.name = operation.name + "/" + name,
          .inputs = {a, b},
          .run =
              [operation](const std::vector<Tensor>& in) {
                return std::vector{operation.run(in[0], in[1])};
              },
          .reference =
              [operation](const std::vector<Array>& in) {
                return std::vector{ref::map(in[0], in[1], operation.reference)};
              }};
}

OpCase make_scalar(const std::string& name, Tensor (*run)(const Tensor&),
                   double (*reference)(double)) {
  return {.name = name,
          .inputs = {{.shape = {3, 5}, .low = 0.5, .high = 2}},
          .run = [run](const std::vector<Tensor>& in) { return std::vector{run(in[0])}; },
          .reference =
              [reference](const std::vector<Array>& in) {
                return std::vector{ref::map(in[0], reference)};
              }};
}

// y changed in place, its layout kept; not recorded, so without gradients.
OpCase make_in_place(const std::string& name, Input y, void (*run)(Tensor&, const Tensor&),
                     double (*reference)(double, double)) {
  return {.name = name,
          .inputs = {y, {.shape = {3, 1}}},
          .run =
              [run](const std::vector<Tensor>& in) {
                Tensor copy = in[0].clone();
                run(copy, in[1]);
                return std::vector{copy};
              },
          .reference =
              [reference](const std::vector<Array>& in) {
                return std::vector{ref::map(in[0], in[1], reference)};
              },
          .differentiable = false};
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  for (const Operation& operation : operations) {
    for (int64_t size : {0, 1, 7, 8, 9, 255, 256, 257, 1000}) {
      list.push_back(
          make(operation, "size_" + std::to_string(size), {.shape = {size}}, {.shape = {size}}));
    }
    list.push_back(make(operation, "large", {.shape = {3, 100, 400}}, {.shape = {3, 100, 400}}));
    list.push_back(make(operation, "rank_0", {.shape = {}}, {.shape = {}}));
    list.push_back(make(operation, "broadcast_b", {.shape = {2, 3, 5}}, {.shape = {3, 1}}));
    list.push_back(make(operation, "broadcast_a", {.shape = {3, 1}}, {.shape = {2, 3, 5}}));
    list.push_back(make(operation, "broadcast_both", {.shape = {4, 1, 5}}, {.shape = {3, 1}}));
    list.push_back(make(operation, "broadcast_single", {.shape = {2, 3, 5}}, {.shape = {1}}));
    list.push_back(make(operation, "broadcast_empty", {.shape = {2, 0, 5}}, {.shape = {2, 1, 1}}));
    list.push_back(make(operation, "strided", {.shape = {2, 3, 301}, .layout = Layout::strided},
                        {.shape = {3, 1}}));
    list.push_back(make(operation, "both_strided", {.shape = {4, 7}, .layout = Layout::strided},
                        {.shape = {4, 7}, .layout = Layout::strided}));
    list.push_back(make(operation, "channels_last",
                        {.shape = {2, 3, 4, 5}, .layout = Layout::channels_last},
                        {.shape = {2, 3, 4, 5}, .layout = Layout::channels_last}));
    list.push_back(make(operation, "mixed_formats",
                        {.shape = {2, 3, 4, 5}, .layout = Layout::channels_last},
                        {.shape = {2, 3, 4, 5}}));
    list.push_back(make(operation, "channel_bias",
                        {.shape = {2, 3, 4, 5}, .layout = Layout::channels_last},
                        {.shape = {3, 1, 1}}));
  }
  list.push_back(make_scalar(
      "add/scalar", [](const Tensor& x) { return 1 + (x + 0.25); },
      [](double x) { return 1.25 + x; }));
  list.push_back(make_scalar(
      "subtract/scalar", [](const Tensor& x) { return 3 - (x - 0.25); },
      [](double x) { return 3.25 - x; }));
  list.push_back(make_scalar(
      "multiply/scalar", [](const Tensor& x) { return 2 * (-x * 1.5); },
      [](double x) { return -3 * x; }));
  list.push_back(make_scalar(
      "divide/scalar", [](const Tensor& x) { return 2 / (x / 4); },
      [](double x) { return 8 / x; }));
  for (Layout layout : {Layout::contiguous, Layout::strided}) {
    const std::string suffix = layout == Layout::strided ? "_strided" : "";
    list.push_back(make_in_place(
        "add_in_place/scaled" + suffix, {.shape = {2, 3, 300}, .layout = layout},
        [](Tensor& y, const Tensor& x) { add_in_place(y, x, -0.5); },
        [](double y, double x) { return y - 0.5 * x; }));
  }
  list.push_back(make_in_place(
      "multiply_in_place/plain", {.shape = {2, 3, 4}},
      [](Tensor& y, const Tensor&) { multiply_in_place(y, -0.5); },
      [](double y, double) { return -0.5 * y; }));
  return list;
}

const bool added = add_cases(cases());

}  // namespace
}  // namespace gestalt::cases
