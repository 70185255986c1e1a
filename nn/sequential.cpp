#include "nn/sequential.h"

#include <algorithm>

#include "kernels/error.h"
#include "nn/layers.h"

namespace gestalt::nn {
namespace {

// Runs children [0, end); sees(i, output) is called for each child i that `watched` says.
template <class Watched, class Sees>
Tensor run(const std::vector<Module::Child>& children, size_t end, const Tensor& x,
           const Watched& watched, const Sees& sees) {
  Tensor y = x;
  for (size_t i = 0; i < end; ++i) {
    auto* conv = dynamic_cast<Conv2d*>(children[i].module.get());
    const bool relu_next = i + 1 < end && dynamic_cast<ReLU*>(children[i + 1].module.get());
    if (conv != nullptr && relu_next && !watched(i) && !conv->has_forward_hooks() &&
        !children[i + 1].module->has_forward_hooks()) {
      y = conv->forward(y, Activation::relu);
      ++i;
    } else {
      y = (*children[i].module)(y);
    }
    if (watched(i)) sees(i, y);
  }
  return y;
}

}  // namespace

Tensor Sequential::forward(const Tensor& x) {
  const auto nobody = [](size_t) { return false; };
  return run(children(), children().size(), x, nobody, [](size_t, const Tensor&) {});
}

std::vector<Tensor> Sequential::forward_taps(const Tensor& x, std::span<const std::string> taps) {
  std::vector<size_t> indices;
  for (const std::string& tap : taps) {
    const auto found = std::find_if(children().begin(), children().end(),
                                    [&](const Child& child) { return child.name == tap; });
    GESTALT_CHECK(found != children().end(), "the network has no layer '{}'", tap);
    indices.push_back(static_cast<size_t>(found - children().begin()));
  }
  if (indices.empty()) return {};
  std::vector<Tensor> outputs(taps.size());
  const size_t end = *std::max_element(indices.begin(), indices.end()) + 1;
  const auto watched = [&](size_t i) {
    return std::find(indices.begin(), indices.end(), i) != indices.end();
  };
  run(children(), end, x, watched, [&](size_t i, const Tensor& y) {
    for (size_t j = 0; j < indices.size(); ++j) {
      if (indices[j] == i) outputs[j] = y;
    }
  });
  return outputs;
}

}  // namespace gestalt::nn
