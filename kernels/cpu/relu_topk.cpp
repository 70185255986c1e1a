#include "kernels/cpu/relu_topk.h"

#include "kernels/cpu/kernels.h"
#include "kernels/cpu/widen.h"
#include "kernels/dispatch.h"

namespace gestalt::cpu {
namespace {

template <class T>
class AddBias {
 public:
  using Sum = accumulate_t<T>;

  struct Channel {
    Sum bias;
    T operator()(T x) const { return narrowed<T>(widened(x) + bias); }
    template <int count>
    Lanes<Stored<T>, count> lanes(const T* from) const {
      return narrow_lanes<T, count>(load_lanes<count>(from) + bias);
    }
  };

  explicit AddBias(const View& bias) : bias_(static_cast<size_t>(bias.shape[0])) {
    for (size_t c = 0; c < bias_.size(); ++c) {
      bias_[c] = widened(bias.as<T>()[static_cast<int64_t>(c) * bias.strides[0]]);
    }
  }
  Channel at(int64_t channel) const { return {bias_[channel]}; }
  template <int count>
  Lanes<Stored<T>, count> lanes(const T* from, int64_t channel) const {
    return narrow_lanes<T, count>(load_lanes<count>(from) +
                                  load_lanes<count>(bias_.data() + channel));
  }

 private:
  std::vector<Sum> bias_;
};

}  // namespace

void relu_topk_forward(Context&, const View& x, const View* bias, const View& y,
                       const TopKDesc& desc) {
  dispatch<FloatTypes>("relu_topk_forward", x, [&]<class T>(std::type_identity<T>) {
    if (bias == nullptr) {
      relu_topk<T>(x, y, desc, Identity<T>{});
    } else {
      relu_topk<T>(x, y, desc, AddBias<T>(*bias));
    }
  });
}

}  // namespace gestalt::cpu
