#pragma once

// One network under Top-K at several sparsities in one pass: what lies before the first place of
// Top-K is computed once for all of them. There the batch is repeated, once a fraction; from there
// on the sparsities lie one after the other in it. A place inside a module that is more than a
// chain, such as a residual block, has the batch repeated before that module, whose other branches
// meet the place's.

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "nn/layers.h"
#include "nn/module.h"

namespace gestalt::eval {

class TopKSweep {
 public:
  // Puts Top-K behind each of `places`, dotted names of modules with outputs [N,C,H,W]; all are
  // active. The network's own forward must be a chain of its children. Throws Error for a name that
  // is no module, no places, or a fraction outside (0, 1].
  TopKSweep(std::shared_ptr<nn::Module> network, const std::vector<std::string>& places,
            nn::TopKMethod method);
  ~TopKSweep();

  void activate(std::span<const std::string> places);  // these alone
  void set_fractions(const std::vector<double>& fractions);

  // images [N,3,H,W]; logits [N, classes], one a fraction. Throws Error where an active place gives
  // something else than [N,C,H,W], or none is reached.
  std::vector<Tensor> operator()(const Tensor& images);

 private:
  struct State;
  class Layer;
  std::shared_ptr<nn::Module> network_;
  std::shared_ptr<State> state_;
};

}  // namespace gestalt::eval
