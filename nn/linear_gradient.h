#pragma once

// The gradient of ops that are linear in their one input: pooling by means, padding, resizing,
// moving, selecting. A kernel finds dx, of x's shape and format, from dy in the same format and
// dy's dtype (internal to nn/).

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/table.h"
#include "tensor/autograd.h"

namespace gestalt::nn {

// What the op did that is known from an array alone, such as a mask. Its name is for errors.
struct Kept {
  const char* name = nullptr;
  Tensor tensor;  // undefined: nothing is kept
};

template <class Backward, class... Arguments>
class LinearMapNode : public Node {
 public:
  LinearMapNode(const char* name, const Tensor& x, const Kept& kept,
                Backward KernelTable::*backward, const Arguments&... arguments)
      : name_(name),
        shape_(x.shape()),
        format_(x.format()),
        kept_name_(kept.name),
        backward_(backward),
        arguments_(arguments...) {
    if (kept.tensor.defined()) save(kept.name, kept.tensor);
  }
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor dy = grad_outputs[0].contiguous(format_);
    Tensor dx = Tensor::empty(shape_, {dy.dtype(), dy.device(), format_});
    Context& ctx = context(dy.device());
    const Backward& kernel = ctx.kernels().*backward_;
    constexpr bool needs_nothing_kept =
        std::is_invocable_v<const Backward&, Context&, View, View, const Arguments&...>;
    std::apply(
        [&](const auto&... arguments) {
          if constexpr (needs_nothing_kept) {
            kernel(ctx, dy.view(), dx.view(), arguments...);
          } else {
            kernel(ctx, dy.view(), saved(kept_name_).view(), dx.view(), arguments...);
          }
        },
        arguments_);
    return {dx};
  }

 private:
  const char* name_;  // of the op
  Shape shape_;
  Format format_;
  const char* kept_name_;
  Backward KernelTable::*backward_;
  std::tuple<Arguments...> arguments_;
};

// Attaches the node that leads from y to x, if x needs a gradient. The kernel is called as
// backward(dy, dx, arguments...), or as backward(dy, kept, dx, arguments...) if it takes one more.
template <class Backward, class... Arguments>
void attach_linear(const char* name, const Tensor& x, const Tensor& y, const Kept& kept,
                   Backward KernelTable::*backward, const Arguments&... arguments) {
  if (!needs_grad({x})) return;
  attach(std::make_shared<LinearMapNode<Backward, Arguments...>>(name, x, kept, backward,
                                                                 arguments...),
         {x}, {y});
}

}  // namespace gestalt::nn
