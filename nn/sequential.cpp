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
    Module& child = *children[i].module;
    const bool relu_next = i + 1 < end && dynamic_cast<ReLU*>(children[i + 1].module.get()) &&
                           !children[i + 1].module->has_forward_hooks();
    const bool joins = relu_next && !watched(i);
    if (auto* conv = dynamic_cast<Conv2d*>(&child); joins && conv != nullptr) {
      y = rectified(*conv, y);
      ++i;
    } else if (auto* norm = dynamic_cast<BatchNorm2d*>(&child); joins && norm != nullptr) {
      y = rectified(*norm, y);
      ++i;
    } else {
      y = child(y);
    }
    if (watched(i)) sees(i, y);
  }
  return y;
}

size_t index_of(const Sequential& network, const std::string& name) {
  const std::vector<Module::Child>& children = network.children();
  const auto found = std::find_if(children.begin(), children.end(),
                                  [&](const Module::Child& child) { return child.name == name; });
  GESTALT_CHECK(found != children.end(), "the network has no layer '{}'", name);
  return static_cast<size_t>(found - children.begin());
}

}  // namespace

void Sequential::insert_after(const std::string& place, std::string name,
                              std::shared_ptr<Module> module) {
  module->train(is_training());
  add_child(std::move(name), std::move(module), index_of(*this, place) + 1);
}

void insert_after(Module& network, const std::string& place,
                  const std::shared_ptr<Module>& module) {
  Module& before = network.find(place);
  const size_t dot = place.rfind('.');
  const std::string name = place.substr(dot + 1);  // all of it where there is no dot
  Module& parent = dot == std::string::npos ? network : network.find(place.substr(0, dot));
  if (auto* sequence = dynamic_cast<Sequential*>(&parent)) {
    sequence->insert_after(name, "after_" + name, module);
  } else {
    before.register_forward_hook([module](const Tensor& output) { return (*module)(output); });
  }
}

Tensor Sequential::forward(const Tensor& x) {
  const auto nobody = [](size_t) { return false; };
  return run(children(), children().size(), x, nobody, [](size_t, const Tensor&) {});
}

std::vector<Tensor> Sequential::forward_taps(const Tensor& x, std::span<const std::string> taps) {
  std::vector<size_t> indices;
  for (const std::string& tap : taps) {
    indices.push_back(index_of(*this, tap));
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
