#include "tensor/ops/arithmetic.h"
#include "tests/cases/op_case.h"

namespace gestalt::cases {
namespace {

std::vector<Tensor> run(const std::vector<Tensor>& in) {
  return {add(in[0], in[1])};
}

// b is [C,1] against a [N,C,W].
std::vector<Array> broadcast_reference(const std::vector<Array>& in) {
  Array y(in[0].shape);
  const int64_t c = y.shape[1], w = y.shape[2];
  for (size_t i = 0; i < y.values.size(); ++i) {
    y.values[i] = in[0].values[i] + in[1].values[static_cast<int64_t>(i) / w % c];
  }
  return {y};
}

const bool added = add_cases({
    {.name = "add/broadcast",
     .inputs = {{.shape = {2, 3, 5}}, {.shape = {3, 1}}},
     .run = run,
     .reference = broadcast_reference},
    {.name = "add/broadcast_strided",
     .inputs = {{.shape = {2, 3, 5}, .layout = Layout::strided}, {.shape = {3, 1}}},
     .run = run,
     .reference = broadcast_reference},
});

}  // namespace
}  // namespace gestalt::cases
