#pragma once

// Modules one after the other, and what goes with that: layers that run as one kernel, the outputs
// in between (taps), other modules put between them.

#include <initializer_list>
#include <span>

#include "nn/layers.h"
#include "nn/module.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/unary.h"

namespace gestalt::nn {

// Children applied one after the other, in the order they were added. Runs of layers that have a
// fused form (nn/fusion.h) are done as one kernel where nobody looks at what lies between them.
class Sequential : public Module {
 public:
  template <class M>
  std::shared_ptr<M> add(std::string name, std::shared_ptr<M> module) {
    return register_module(std::move(name), std::move(module));
  }
  // Named by its number, as torch's Sequential names its children.
  template <class M>
  std::shared_ptr<M> append(std::shared_ptr<M> module) {
    return add(std::to_string(children().size()), std::move(module));
  }
  // Puts a module behind the child `place`; the others keep their names. Throws Error for a name
  // that is no child.
  void insert_after(const std::string& place, std::string name, std::shared_ptr<Module> module);
  Tensor forward(const Tensor& x) override;

  // The outputs of the named children, in the order of `taps`; nothing after the last one is run.
  // Throws Error for a name that is no child.
  std::vector<Tensor> forward_taps(const Tensor& x, std::span<const std::string> taps);
};

// Modules named by their numbers.
std::shared_ptr<Sequential> make_sequential(std::initializer_list<std::shared_ptr<Module>> modules);

// relu(layer(x)) for a convolution or batch norm, in one kernel where no hook sees the layer's
// output.
template <class Layer>
Tensor rectified(Layer& layer, const Tensor& x) {
  if (layer.has_forward_hooks()) return relu(layer(x));
  return layer.forward(x, Activation::relu);
}

// relu(norm(x) + residual), of x's dtype both, in one kernel where no hook sees the norm's output.
inline Tensor rectified_sum(BatchNorm2d& norm, const Tensor& x, const Tensor& residual) {
  if (norm.has_forward_hooks()) return relu(norm(x) + residual);
  return norm.forward(x, Activation::relu, residual);
}

// Lets a module see and replace what `place`, a descendant by its dotted name ("features.2",
// "layer2"), gives on: as a new child behind it where it stands in a Sequential, as a forward hook
// elsewhere. Names of parameters stay as they are. A hook's module is out of reach
// of train(), to() and state_dict(): it must have neither parameters nor modes. Throws Error where
// there is no such module.
void insert_after(Module& network, const std::string& place, const std::shared_ptr<Module>& module);

}  // namespace gestalt::nn
