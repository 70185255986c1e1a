#include "models/registry.h"

#include <algorithm>

#include "kernels/error.h"
#include "models/alexnet.h"
#include "models/resnet.h"
#include "models/vgg.h"
#include "nn/sequential.h"

namespace gestalt::models {
namespace {

const std::vector<ModelEntry>& entries() {
  static const std::vector<ModelEntry> all = [] {
    std::vector<ModelEntry> list;
    for (const auto& family : {alexnet_models(), vgg_models(), resnet_models()}) {
      list.insert(list.end(), family.begin(), family.end());
    }
    return list;
  }();
  return all;
}

}  // namespace

const ModelEntry& find_model(const std::string& name) {
  const auto found = std::find_if(entries().begin(), entries().end(),
                                  [&](const ModelEntry& entry) { return entry.name == name; });
  if (found != entries().end()) return *found;
  std::string known;
  for (const std::string& each : model_names()) known += (known.empty() ? "" : ", ") + each;
  throw Error(format("unknown architecture '{}' (known: {})", name, known));
}

std::shared_ptr<nn::Module> make_model(const std::string& name, const ModelOptions& options,
                                       uint64_t seed) {
  Generator generator(seed);
  return find_model(name).make(options, generator);
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const ModelEntry& entry : entries()) names.push_back(entry.name);
  return names;
}

std::vector<std::string> classifier_names() {
  std::vector<std::string> names;
  for (const ModelEntry& entry : entries()) {
    if (!entry.head.empty()) names.push_back(entry.name);
  }
  return names;
}

std::optional<int64_t> classes_of(const ModelEntry& entry, const StateDict& weights) {
  const Tensor* bias = find_tensor(weights, entry.head + ".bias");
  if (bias == nullptr || bias->rank() != 1) return std::nullopt;
  return bias->size(0);
}

std::vector<std::shared_ptr<nn::TopK>> insert_topk(nn::Module& network,
                                                   std::span<const std::string> places,
                                                   double fraction, nn::TopKMethod method) {
  std::vector<std::shared_ptr<nn::TopK>> layers;
  for (const std::string& place : places) {
    layers.push_back(std::make_shared<nn::TopK>(fraction, method));
    nn::insert_after(network, place, layers.back());
  }
  return layers;
}

}  // namespace gestalt::models
