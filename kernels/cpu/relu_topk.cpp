#include "kernels/cpu/relu_topk.h"

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/widen.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

template <class T>
struct AddBias {
  using Sum = accumulate_t<T>;

  struct Channel {
    Sum bias;
    T operator()(T x) const { return narrowed<T>(widened(x) + bias); }
  };
  Channel at(int64_t channel) const { return {static_cast<Sum>(bias[channel * stride])}; }

  const T* bias;
  int64_t stride;
};

}  // namespace

void relu_topk_forward(Context&, const View& x, const View* bias, const View& y,
                       const TopKDesc& desc) {
  dispatch<FloatTypes>("relu_topk_forward", x, [&]<class T>(std::type_identity<T>) {
    if (bias == nullptr) {
      relu_topk<T>(x, y, desc, Identity<T>{});
    } else {
      relu_topk<T>(x, y, desc, AddBias<T>{bias->as<T>(), bias->strides[0]});
    }
  });
}

}  // namespace gestalt::cpu
