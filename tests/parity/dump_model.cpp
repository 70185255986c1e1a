// Logits of a network, and the gradients of one training step, for tests/parity/models.py.
// Usage: dump_model NAME WEIGHTS INPUT.safetensors OUT.safetensors exact|fast|f64|bf16 [classes
// size stride] INPUT holds `images` [N,3,H,W] and, for gradients, `labels` i64[N]. OUT holds
// `logits` (in evaluation), `loss` and `gradient/<parameter>`.

#include <algorithm>
#include <string>

#include "models/registry.h"
#include "nn/autocast.h"
#include "nn/loss.h"
#include "tensor/autograd.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/shape.h"
#include "tests/parity/dump_main.h"

using namespace gestalt;

namespace {

Tensor tensor_of(const StateDict& state, const std::string& name) {
  for (const NamedTensor& entry : state) {
    if (entry.name == name) return entry.tensor;
  }
  return {};
}

// Some images at a time, so that VGG's activations of a whole folder need not fit into memory.
Tensor logits_of(nn::Module& network, const Tensor& images) {
  constexpr int64_t batch = 16;
  std::vector<Tensor> logits;
  for (int64_t first = 0; first < images.size(0); first += batch) {
    logits.push_back(network(narrow(images, 0, first, std::min(batch, images.size(0) - first))));
  }
  return cat(logits, 0);
}

void dump(const std::string& name, const std::string& weights, const std::string& input,
          const std::string& out, const std::string& mode, const models::ModelOptions& options) {
  context({}).set_exact(mode == "exact");
  const auto network = models::make_model(name, options);
  network->load_state_dict(load_weights(weights));
  const DType dtype = mode == "f64" ? DType::f64 : DType::f32;
  const nn::AutocastGuard autocast(mode == "bf16" ? DType::bf16 : DType::f32);
  network->to(dtype);
  const StateDict given = read_checkpoint(input).tensors;
  const Tensor images = tensor_of(given, "images").to(dtype), labels = tensor_of(given, "labels");
  StateDict tensors;
  {
    const NoGradGuard no_grad;
    network->eval();
    tensors.push_back({"logits", logits_of(*network, images).to(dtype)});
  }
  if (labels.defined()) {
    network->train();
    const Tensor loss = nn::cross_entropy((*network)(images), labels);
    loss.backward();
    tensors.push_back({"loss", loss.detach()});
    tests::add_gradients("gradient/", *network, tensors);
  }
  write_safetensors(out, tensors);
}

}  // namespace

int main(int argc, char** argv) {
  return tests::dump_main(
      argc, argv, "dump_model NAME WEIGHTS INPUT OUT exact|fast|f64|bf16 [CLASSES SIZE STRIDE]",
      {5, 8}, [](char** a) {
        models::ModelOptions options;
        if (a[6] != nullptr) options = {std::stoll(a[6]), std::stoll(a[7]), std::stoll(a[8])};
        dump(a[1], a[2], a[3], a[4], a[5], options);
      });
}
