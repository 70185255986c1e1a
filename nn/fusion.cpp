#include "nn/fusion.h"

#include <array>
#include <typeinfo>
#include <utility>

#include "nn/layers.h"
#include "nn/topk.h"

namespace gestalt::nn {
namespace {

using Layers = std::span<const Module::Child>;

// The fused forms. An undefined result: not with these settings.

Tensor fused(Conv2d& conv, ReLU&, const Tensor& x) {
  return conv.forward(x, Activation::relu);
}

Tensor fused(BatchNorm2d& norm, ReLU&, const Tensor& x) {
  return norm.forward(x, Activation::relu);
}

template <class Layer>
Tensor fused(Layer& layer, ReLU& relu, TopK& topk, const Tensor& x) {
  if (topk.is_identity()) return fused(layer, relu, x);
  return topk.mode() && x.rank() == 4 ? layer.forward_relu_topk(x, topk.fraction(), *topk.mode())
                                      : Tensor();
}

Tensor fused(ReLU&, TopK& topk, const Tensor& x) {
  return topk.mode() ? relu_topk(x, topk.fraction(), *topk.mode()) : Tensor();
}

// A layer of this very type, whose output nobody sees; a derived one may do something else.
template <class Layer>
Layer* as(const Module::Child& child) {
  Module& module = *child.module;
  const bool fits = typeid(module) == typeid(Layer) && !module.has_forward_hooks();
  return fits ? static_cast<Layer*>(&module) : nullptr;
}

template <class... Types>
FusedRun run(Layers layers, const Tensor& x) {
  constexpr size_t length = sizeof...(Types);
  if (layers.size() < length) return {};
  return [&]<size_t... I>(std::index_sequence<I...>)->FusedRun {
    if (!(as<Types>(layers[I]) && ...)) return {};
    const Tensor y = fused(*as<Types>(layers[I])..., x);
    return y.defined() ? FusedRun{length, y} : FusedRun{};
  }
  (std::make_index_sequence<length>{});
}

// Longer ones first.
constexpr std::array patterns = {
    run<Conv2d, ReLU, TopK>, run<BatchNorm2d, ReLU, TopK>,
    run<Conv2d, ReLU>,       run<BatchNorm2d, ReLU>,
    run<ReLU, TopK>,
};

}  // namespace

FusedRun run_fused(Layers layers, const Tensor& x) {
  for (const auto pattern : patterns) {
    if (FusedRun result = pattern(layers, x); result.length > 0) return result;
  }
  return {};
}

}  // namespace gestalt::nn
