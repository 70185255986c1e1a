#pragma once

#include <span>

#include "nn/module.h"

namespace gestalt::nn {

// Children applied one after the other, in the order they were added. A convolution followed by a
// ReLU runs as one kernel where nobody looks at what lies between them.
class Sequential : public Module {
 public:
  template <class M>
  std::shared_ptr<M> add(std::string name, std::shared_ptr<M> module) {
    return register_module(std::move(name), std::move(module));
  }
  Tensor forward(const Tensor& x) override;

  // The outputs of the named children, in the order of `taps`; nothing after the last one is run.
  // Throws Error for a name that is no child.
  std::vector<Tensor> forward_taps(const Tensor& x, std::span<const std::string> taps);
};

}  // namespace gestalt::nn
