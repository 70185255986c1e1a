// Texture synthesis in f64, exact mode: every evaluation of the path that synthesize_texture goes,
// for tests/parity/lbfgs_texture.py.
// Usage: dump_texture WEIGHTS IN.safetensors OUT.safetensors FRACTION keep|reverse EVALUATIONS
//
// IN: `target` and `initial` [1,3,H,W], images in the network's input space.
// OUT: `points` [E,3,H,W], the parameters u where the loss was asked for; `losses` [E] and
// `gradients` [E,3,H,W] to u there.

#include <cstdlib>
#include <map>
#include <string>

#include "models/synthesis.h"
#include "models/vgg.h"
#include "optim/lbfgs.h"
#include "tensor/autograd.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/safetensors.h"
#include "tensor/ops/shape.h"
#include "tests/parity/dump_main.h"

using namespace gestalt;

namespace {

// The options of synthesize_texture.
const optim::LbfgsOptions lbfgs_options{.learning_rate = 1,
                                        .max_iterations = 20,
                                        .tolerance_gradient = 0,
                                        .tolerance_change = 0,
                                        .history_size = 100,
                                        .line_search = optim::LineSearch::strong_wolfe};

StateDict path(const models::SynthesisLoss& loss_of, const models::BoundedImages& bounded,
               const Tensor& initial, int evaluations) {
  std::vector<Tensor> points, losses, gradients;
  optim::LbfgsStepper stepper(bounded.to_parameters(initial), lbfgs_options);
  for (int i = 0; i < evaluations; ++i) {
    if (!stepper.needs_evaluation()) stepper.begin_step();
    Tensor u = stepper.point().clone();
    u.set_requires_grad(true);
    const Tensor loss = loss_of(bounded.to_images(u));
    loss.backward();
    points.push_back(u.detach());
    losses.push_back(loss.detach());
    gradients.push_back(u.grad());
    stepper.tell(loss.to_vector<double>()[0], u.grad());
  }
  return {{"points", cat(points, 0)}, {"losses", cat(losses, 0)}, {"gradients", cat(gradients, 0)}};
}

void dump(char** arguments) {
  context({}).set_exact(true);
  std::map<std::string, Tensor> images;
  for (const NamedTensor& entry : read_checkpoint(arguments[2]).tensors) {
    images[entry.name] = entry.tensor.to(DType::f64);
  }
  Generator generator(0);
  const auto network = models::make_texture_vgg19(models::Pooling::average, generator);
  network->load_state_dict(load_weights(arguments[1]));
  models::SynthesisOptions options;
  options.fraction = std::atof(arguments[4]);
  if (std::string(arguments[5]) == "reverse") options.mode = TopKMode::reverse;
  options.dtype = DType::f64;
  const Tensor& target = images.at("target");
  write_safetensors(arguments[3], path(models::SynthesisLoss(network, options, target),
                                       models::BoundedImages(target), images.at("initial"),
                                       std::atoi(arguments[6])));
}

}  // namespace

int main(int argc, char** argv) {
  return tests::dump_main(
      argc, argv, "dump_texture WEIGHTS IN OUT FRACTION keep|reverse EVALUATIONS", {6}, dump);
}
