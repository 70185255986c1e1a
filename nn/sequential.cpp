#include "nn/sequential.h"

#include <algorithm>

#include "nn/fusion.h"

namespace gestalt::nn {
namespace {

// Runs children [0, end); sees(i, output) is called for each child i that `watched` says.
template <class Watched, class Sees>
Tensor run(const std::vector<Module::Child>& children, size_t end, const Tensor& x,
           const Watched& watched, const Sees& sees) {
  Tensor y = x;
  for (size_t first = 0; first < end;) {
    size_t last = first;  // that may run with the first: nobody sees those between
    while (last + 1 < end && !watched(last)) ++last;
    const FusedRun fused = run_fused(std::span(&children[first], last + 1 - first), y);
    y = fused.length > 0 ? fused.y : (*children[first].module)(y);
    first += std::max<size_t>(fused.length, 1);
    if (watched(first - 1)) sees(first - 1, y);
  }
  return y;
}

}  // namespace

void Sequential::insert_after(const std::string& place, std::string name,
                              std::shared_ptr<Module> module) {
  add_child(std::move(name), module, index_of(place) + 1);
  module->train(is_training());
}

std::shared_ptr<Sequential> make_sequential(
    std::initializer_list<std::shared_ptr<Module>> modules) {
  auto sequential = std::make_shared<Sequential>();
  for (const auto& module : modules) sequential->append(module);
  return sequential;
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
  for (const std::string& tap : taps) indices.push_back(index_of(tap));
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
