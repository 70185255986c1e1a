#include <cmath>

#include "tensor/ops/unary.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

std::vector<Tensor> run(const std::vector<Tensor>& in) {
  return {exp(in[0])};
}

std::vector<Array> reference(const std::vector<Array>& in) {
  Array y(in[0].shape);
  for (size_t i = 0; i < y.values.size(); ++i) y.values[i] = std::exp(in[0].values[i]);
  return {y};
}

const bool added = add_cases({
    {.name = "exp/channels_last",
     .inputs = {{.shape = {2, 3, 4, 5}, .layout = Layout::channels_last}},
     .run = run,
     .reference = reference},
    {.name = "exp/empty", .inputs = {{.shape = {0, 3}}}, .run = run, .reference = reference},
});

}  // namespace
}  // namespace gestalt::cases
