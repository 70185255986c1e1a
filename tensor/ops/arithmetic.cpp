#include "tensor/ops/arithmetic.h"

#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/broadcast.h"

namespace gestalt {
namespace {

// The result's options: a's layout where it already has the result's shape, else b's.
TensorOptions result_options(const Tensor& a, const Tensor& b, const Shape& shape) {
  const Format format = a.shape() == shape   ? a.format()
                        : b.shape() == shape ? b.format()
                                             : Format::contiguous;
  return {a.dtype(), a.device(), format};
}

class AddNode : public Node {
 public:
  AddNode(const Tensor& a, const Tensor& b) : a_shape_(a.shape()), b_shape_(b.shape()) {}
  const char* name() const override { return "add"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    const Tensor& dy = grad_outputs[0];
    return {needs[0] ? reduce_to_shape(dy, a_shape_) : Tensor(),
            needs[1] ? reduce_to_shape(dy, b_shape_) : Tensor()};
  }

 private:
  Shape a_shape_, b_shape_;
};

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  check_same_kind("add", a, b);
  const Shape shape = broadcast_shape("add", a, b);
  Tensor y = Tensor::empty(shape, result_options(a, b, shape));
  Context& ctx = context(a.device());
  ctx.kernels().add(ctx, broadcast_view(a, shape), broadcast_view(b, shape), y.view());
  if (needs_grad({a, b})) attach(std::make_shared<AddNode>(a, b), {a, b}, {y});
  return y;
}

}  // namespace gestalt
