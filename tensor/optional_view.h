#pragma once

// A tensor that may be missing, as kernels take it: a pointer to its view, null where it is
// undefined. The pointer is good as long as this object, so in a call it may be a temporary:
//   ctx.kernels().conv2d_forward(ctx, x.view(), w.view(), OptionalView(bias), y.view(), desc);

#include "tensor/tensor.h"

namespace gestalt {

class OptionalView {
 public:
  explicit OptionalView(const Tensor& tensor)
      : view_(tensor.defined() ? tensor.view() : View{}), defined_(tensor.defined()) {}
  operator const View*() const { return defined_ ? &view_ : nullptr; }

 private:
  View view_;
  bool defined_;
};

}  // namespace gestalt
