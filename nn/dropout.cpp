#include "nn/dropout.h"

#include <algorithm>
#include <vector>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt::nn {
namespace {

// Kept where a uniform value of [-p, 1-p) is positive: relu_backward passes x there and 0
// elsewhere.
Tensor run(const Tensor& x, double p, const PhiloxState& state) {
  Context& ctx = context(x.device());
  const Tensor draws = Tensor::empty(x.shape(), x.options());
  Tensor y = Tensor::empty(x.shape(), x.options());
  ctx.kernels().uniform(ctx, state, -p, 1 - p, draws.view());
  ctx.kernels().multiply_scalar(ctx, x.view(), 1 / (1 - p), y.view());
  ctx.kernels().relu_backward(ctx, y.view(), draws.view(), y.view());
  return y;
}

class DropoutNode : public Node {
 public:
  DropoutNode(double p, const PhiloxState& state) : p_(p), state_(state) {}
  const char* name() const override { return "dropout"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    return {run(grad_outputs[0], p_, state_)};
  }

 private:
  double p_;
  PhiloxState state_;
};

std::vector<Dropout*> layers_of(Module& network) {
  std::vector<Dropout*> layers;
  for (const Module::NamedModule& entry : network.named_modules()) {
    if (auto* layer = dynamic_cast<Dropout*>(entry.module)) layers.push_back(layer);
  }
  return layers;
}

}  // namespace

Tensor dropout(const Tensor& x, double p, const PhiloxState& state) {
  GESTALT_CHECK(p >= 0 && p < 1, "[dropout] p must be in [0, 1), got {}", p);
  GESTALT_CHECK(is_floating(x.dtype()), "[dropout] expected a floating input, got {}", x);
  const Tensor y = run(x.detach(), p, state);
  if (needs_grad({x})) attach(std::make_shared<DropoutNode>(p, state), {x}, {y});
  return y;
}

Dropout::Dropout(double p) : p_(p) {
  GESTALT_CHECK(p >= 0 && p < 1, "[dropout] p must be in [0, 1), got {}", p);
}

Tensor Dropout::forward(const Tensor& x) {
  if (!is_training() || p_ == 0) return x;
  const PhiloxState state = state_;
  ++state_.offset;
  return dropout(x, p_, state);
}

void seed_dropout(Module& network, uint64_t seed, uint64_t step) {
  const std::vector<Dropout*> layers = layers_of(network);
  for (size_t i = 0; i < layers.size(); ++i) {
    layers[i]->set_state({seed, step * layers.size() + i});
  }
}

bool has_dropout(Module& network) {
  const std::vector<Dropout*> layers = layers_of(network);
  return std::any_of(layers.begin(), layers.end(), [](Dropout* layer) { return layer->p() > 0; });
}

}  // namespace gestalt::nn
