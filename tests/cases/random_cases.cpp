// Random values against the definition: element i of the result is word i % 4 of block i / 4, in
// logical order whatever the layout.

#include <cmath>
#include <numbers>

#include "kernels/philox.h"
#include "kernels/random.h"
#include "tensor/random.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

constexpr PhiloxState state{0x123456789ABCDEF0, 42};

// An input that the result takes its shape, dtype, layout and device from.
OpCase make(const std::string& name, const Input& like, void (*fill)(Generator&, Tensor&),
            double (*element)(const PhiloxBlock&, int word)) {
  return {
      .name = name,
      .inputs = {like},
      .run =
          [fill](const std::vector<Tensor>& in) {
            Tensor y = in[0];
            if (y.is_dense()) {
              y = in[0].clone();
            } else {  // keeps the strides, which a clone would not
              const Tensor storage = Tensor::zeros({2 * y.numel() + 1}, {y.dtype(), y.device()});
              y = storage.as_strided(y.shape(), y.strides(), 0);
            }
            Generator generator(0);
            generator.set_state(state);
            fill(generator, y);
            return std::vector{y};
          },
      .reference =
          [element](const std::vector<Array>& in) {
            Array y(in[0].shape);
            for (size_t i = 0; i < y.values.size(); ++i) {
              y.values[i] = element(philox(state, i / 4), static_cast<int>(i % 4));
            }
            return std::vector{y};
          },
      .tolerance_f64 = 1e-6,  // the standard normal values are made in f32
      .differentiable = false};
}

double uniform_element(const PhiloxBlock& block, int word) {
  return -2 + 5 * (static_cast<double>(block.word[word] >> 8) / 16777216.0);
}

double normal_element(const PhiloxBlock& block, int word) {
  const int pair = word / 2 * 2;
  const double u = static_cast<double>(static_cast<float>(block.word[pair]) + 0.5f) / 4294967296.0;
  const double angle = 2 * std::numbers::pi * block.word[pair + 1] / 4294967296.0;
  const double radius = std::sqrt(-2 * std::log(u));
  return 1 + 0.5 * radius * (word % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

std::vector<OpCase> cases() {
  std::vector<OpCase> list;
  std::vector<std::pair<std::string, Input>> inputs;
  for (int64_t size : {0, 1, 3, 4, 5, 30000}) {
    inputs.push_back({"size_" + std::to_string(size), {.shape = {size}}});
  }
  inputs.push_back({"channels_last", {.shape = {2, 3, 4, 5}, .layout = Layout::channels_last}});
  inputs.push_back({"strided", {.shape = {3, 7}, .layout = Layout::strided}});
  for (const auto& [name, input] : inputs) {
    list.push_back(make(
        "uniform/" + name, input,
        [](Generator& generator, Tensor& y) { generator.fill_uniform(y, -2, 3); },
        uniform_element));
    list.push_back(make(
        "normal/" + name, input,
        [](Generator& generator, Tensor& y) { generator.fill_normal(y, 1, 0.5); }, normal_element));
  }
  return list;
}

const bool added = add_cases(cases());

}  // namespace
}  // namespace gestalt::cases
