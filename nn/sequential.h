#pragma once

#include "nn/module.h"

namespace gestalt::nn {

// Children applied one after the other, in the order they were added.
class Sequential : public Module {
 public:
  template <class M>
  std::shared_ptr<M> add(std::string name, std::shared_ptr<M> module) {
    return register_module(std::move(name), std::move(module));
  }
  Tensor forward(const Tensor& x) override;
};

}  // namespace gestalt::nn
