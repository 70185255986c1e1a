// One evaluation of texture synthesis: VGG-19 with average pooling to pool4 on one 256x256 image,
// Gram matrices at five taps, the loss, and its gradient to the image. The same work as
// bench/pytorch/texture_evaluation.py, with the same output, for runs side by side:
//   texture_evaluation [--threads 2] [--repeats 20] [--exact]

#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "bench/flags.h"
#include "bench/peak_memory.h"
#include "bench/vgg_layers.h"
#include "kernels/table.h"
#include "nn/conv.h"
#include "nn/gram.h"
#include "nn/loss.h"
#include "nn/pool.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"

namespace gestalt::bench {
namespace {

Tensor noise(const Shape& shape, double scale, uint64_t stream) {
  Tensor result = Tensor::empty(shape, {});
  Context& ctx = context(result.device());
  ctx.kernels().normal(ctx, PhiloxState{1, stream}, 0, scale, result.view());
  return result;
}

struct Network {
  std::vector<Tensor> weights, biases;

  Network() {
    uint64_t stream = 1;
    for (const VggLayer& layer : vgg19_to_pool4) {
      const double scale = std::sqrt(2.0 / static_cast<double>(9 * layer.inputs));
      weights.push_back(noise({layer.outputs, layer.inputs, 3, 3}, scale, stream++));
      biases.push_back(noise({layer.outputs}, 0.1, stream++));
    }
  }

  // relu1_1 and the four pools.
  std::vector<Tensor> taps(const Tensor& image) const {
    std::vector<Tensor> result;
    Tensor x = image;
    for (size_t i = 0; i < vgg19_to_pool4.size(); ++i) {
      x = nn::conv2d(x, weights[i], biases[i], {.padding = {1, 1}, .activation = Activation::relu});
      if (i == 0) result.push_back(x);
      if (vgg19_to_pool4[i].pool_after) {
        x = nn::avg_pool2d(x);
        result.push_back(x);
      }
    }
    return result;
  }
};

std::vector<Tensor> grams(const Network& network, const Tensor& image) {
  std::vector<Tensor> result;
  for (const Tensor& tap : network.taps(image)) result.push_back(nn::gram_matrix(tap));
  return result;
}

void run(int64_t repeats) {
  const Network network;
  std::vector<Tensor> targets;
  {
    const NoGradGuard no_grad;
    targets = grams(network, noise({1, 3, 256, 256}, 50, 100));
  }
  Tensor image = noise({1, 3, 256, 256}, 50, 101);
  image.set_requires_grad(true);
  double best = INFINITY, loss_value = 0;
  for (int64_t i = 0; i <= repeats; ++i) {  // the first is the warm-up
    image.set_grad({});
    const auto start = std::chrono::steady_clock::now();
    const std::vector<Tensor> found = grams(network, image);
    Tensor loss;
    for (size_t t = 0; t < found.size(); ++t) {
      const Tensor term = nn::mse_loss(found[t], targets[t], Reduction::sum);
      loss = loss.defined() ? loss + term : term;
    }
    loss.backward();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    if (i > 0) best = std::min(best, elapsed.count());
    loss_value = loss.item();
  }
  std::printf("seconds %.4f  peak_MB %.1f  loss %.6g\n", best, peak_megabytes(), loss_value);
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  int64_t repeats = 20;
  bool exact = false;
  gestalt::bench::Flags flags("texture_evaluation [--threads N] [--repeats N] [--exact]");
  flags.add("--repeats", repeats);
  flags.add("--exact", exact);
  return flags.run(argc, argv, 0, [&](const auto&) {
    gestalt::context({}).set_exact(exact);
    gestalt::bench::run(repeats);
  });
}
