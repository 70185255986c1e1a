// Dropout against the definition: element i is dropped where word i % 4 of block i / 4 says so, in
// logical order whatever the layout.

#include "nn/dropout.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

constexpr PhiloxState state{0x0FEDCBA987654321, 7};

OpCase make(const std::string& name, double p, const Input& input) {
  return {
      .name = "dropout/" + name,
      .inputs = {input},
      .run =
          [p](const std::vector<Tensor>& in) { return std::vector{nn::dropout(in[0], p, state)}; },
      .reference =
          [p](const std::vector<Array>& in) {
            Array y(in[0].shape);
            for (size_t i = 0; i < y.values.size(); ++i) {
              const double uniform =
                  static_cast<double>(philox(state, i / 4).word[i % 4] >> 8) / 16777216.0;
              y.values[i] = uniform <= p ? 0 : in[0].values[i] / (1 - p);
            }
            return std::vector{y};
          }};
}

const bool added = add_cases({
    make("matrix", 0.5, {.shape = {5, 7}}),
    make("rare", 0.25, {.shape = {2, 8}}),
    make("empty", 0.5, {.shape = {0, 3}}),
    make("channels_last", 0.5, {.shape = {2, 3, 4, 5}, .layout = Layout::channels_last}),
    make("strided", 0.5, {.shape = {3, 7}, .layout = Layout::strided}),
});

}  // namespace
}  // namespace gestalt::cases
