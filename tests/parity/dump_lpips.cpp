// LPIPS of two batches of images and its gradient to the first, for tests/parity/lpips.py.
// Usage: dump_lpips vgg16|alexnet WEIGHTS LINEAR INPUT.safetensors OUT.safetensors f32|f64. INPUT
// holds `a` and `b`; OUT `distance` [N] and `gradient`.

#include <memory>
#include <string>

#include "models/lpips.h"
#include "models/registry.h"
#include "tensor/autograd.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/reduce.h"
#include "tests/parity/dump_main.h"

using namespace gestalt;

namespace {

void dump(char** arguments) {
  context({}).set_exact(true);
  const auto network = models::make_model(arguments[1]);
  network->load_state_dict(load_weights(arguments[2]));
  const DType dtype = std::string(arguments[6]) == "f64" ? DType::f64 : DType::f32;
  network->to(dtype);
  const auto& children = network->children();  // features, avgpool, classifier
  const auto features = std::dynamic_pointer_cast<nn::Sequential>(children.front().module);
  const models::Lpips lpips(arguments[1], features, load_weights(arguments[3]));
  Tensor a, b;
  for (const NamedTensor& entry : read_checkpoint(arguments[4]).tensors) {
    (entry.name == "a" ? a : b) = entry.tensor.to(dtype);
  }
  a.set_requires_grad(true);
  const Tensor distance = lpips(a, b);
  sum(distance).backward();
  const StateDict out = {{"distance", distance.detach()}, {"gradient", a.grad()}};
  write_safetensors(arguments[5], out);
}

}  // namespace

int main(int argc, char** argv) {
  return tests::dump_main(argc, argv, "dump_lpips vgg16|alexnet WEIGHTS LINEAR INPUT OUT f32|f64",
                          {6}, dump);
}
