#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "tensor/ops/unary.h"
#include "tests/cases/op_case.h"
#include "tests/ref/elementwise.h"

namespace gestalt::cases {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Function {
  std::string name;
  std::function<Tensor(const Tensor&)> run;
  double (*reference)(double);
  double low, high;  // of the inputs
};

const Function functions[] = {
    {"exp", exp, std::exp, -3, 3},
    {"log", log, std::log, 0.2, 4},
    {"sqrt", sqrt, std::sqrt, 0.2, 4},
    {"abs", abs, std::abs, -2, 2},
    {"sigmoid", sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }, -4, 4},
    {"tanh", tanh, std::tanh, -3, 3},
    {"relu", relu, [](double x) { return x < 0 ? 0 : x; }, -1, 1},
    {"leaky_relu", [](const Tensor& x) { return leaky_relu(x, 0.2); },
     [](double x) { return x > 0 ? x : 0.2 * x; }, -1, 1},
    {"clamp", [](const Tensor& x) { return clamp(x, -0.5, 0.75); },
     [](double x) { return std::isnan(x) ? x : std::min(std::max(x, -0.5), 0.75); }, -1, 1},
    {"pow/2", [](const Tensor& x) { return pow(x, 2); }, [](double x) { return x * x; }, -2, 2},
    {"pow/3", [](const Tensor& x) { return pow(x, 3); }, [](double x) { return x * x * x; }, -2, 2},
    {"pow/-1", [](const Tensor& x) { return pow(x, -1); }, [](double x) { return 1 / x; }, 0.5, 2},
    {"pow/0", [](const Tensor& x) { return pow(x, 0); }, [](double) { return 1.0; }, -2, 2},
    {"pow/2.5", [](const Tensor& x) { return pow(x, 2.5); },
     [](double x) { return std::pow(x, 2.5); }, 0.2, 2},
};

OpCase make(const Function& function, const std::string& name, Input input) {
  input.low = function.low;
  input.high = function.high;
  return {
      .name = function.name + "/" + name,
      .inputs = {input},
      .run = [function](const std::vector<Tensor>& in) { return std::vector{function.run(in[0])}; },
      .reference =
          [function](const std::vector<Array>& in) {
            return std::vector{ref::map(in[0], function.reference)};
          },
      .tolerance_f32 = 2e-6};
}

// Values at kinks and beyond all bounds. Forward alone: a difference quotient means nothing there.
OpCase make_special(const Function& function) {
  OpCase special =
      make(function, "special", {.shape = {9}, .values = {0, -0.0, 1, -1, inf, -inf, nan, 9, -9}});
  special.differentiable = false;
  return special;
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  for (const Function& function : functions) {
    for (int64_t size : {0, 1, 255, 256, 257}) {
      list.push_back(make(function, "size_" + std::to_string(size), {.shape = {size}}));
    }
    list.push_back(make(function, "large", {.shape = {300, 301}}));
    list.push_back(make(function, "strided", {.shape = {3, 301}, .layout = Layout::strided}));
    list.push_back(
        make(function, "channels_last", {.shape = {2, 3, 4, 5}, .layout = Layout::channels_last}));
    list.push_back(make_special(function));
  }
  return list;
}

const bool added = add_cases(cases());

}  // namespace
}  // namespace gestalt::cases
