// Taps of the texture-synthesis VGG-19 and the gradient of the sum of their mean squares to the
// image, for tests/parity/layers.py. Usage: dump_vgg WEIGHTS IMAGE.safetensors OUT.safetensors
// exact|fast

#include <string>

#include "models/vgg.h"
#include "tensor/autograd.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tests/parity/dump_main.h"

using namespace gestalt;

namespace {

void dump(const std::string& weights, const std::string& image_path, const std::string& out,
          bool exact) {
  context({}).set_exact(exact);
  Generator generator(0);
  const auto network = models::make_texture_vgg19(models::Pooling::average, generator);
  network->load_state_dict(load_weights(weights));
  network->set_requires_grad(false);
  Tensor image = read_checkpoint(image_path).tensors.at(0).tensor;
  image.set_requires_grad(true);
  const std::vector<std::string> names = {"relu1_1", "pool1", "pool2", "pool3", "pool4"};
  const std::vector<Tensor> taps = network->forward_taps(image, names);
  StateDict tensors;
  Tensor total;
  for (size_t i = 0; i < taps.size(); ++i) {
    tensors.push_back({names[i], taps[i].detach()});
    const Tensor power = mean(taps[i] * taps[i]);
    total = total.defined() ? total + power : power;
  }
  total.backward();
  tensors.push_back({"gradient", image.grad()});
  write_safetensors(out, tensors);
}

}  // namespace

int main(int argc, char** argv) {
  return tests::dump_main(argc, argv, "dump_vgg WEIGHTS IMAGE OUT exact|fast", {4},
                          [](char** a) { dump(a[1], a[2], a[3], std::string(a[4]) == "exact"); });
}
