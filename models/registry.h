#pragma once

// Networks by name. Each family's file lists its own; names of parameters and forms are
// torchvision's, or those of the published code.

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nn/layers.h"
#include "nn/module.h"
#include "tensor/random.h"
#include "tensor/state_dict.h"

namespace gestalt::models {

// What a family does not have it ignores: VGG and ResNet take any image size.
struct ModelOptions {
  int64_t classes = 1000;
  int64_t image_size = 224;  // pixels, both sides; sets resnet18-cifar's `linear`
  int64_t stem_stride = 1;   // of resnet18-cifar's first convolution, 1 or 2
};

struct ModelEntry {
  std::string name;
  std::function<std::shared_ptr<nn::Module>(const ModelOptions&, Generator&)> make;
  std::string head;  // the module that gives the logits; empty for networks without classes
  // Where the paper's experiments put Top-K, by module name; empty where there is no head.
  std::vector<std::string> topk_places;
};

// With seeded random weights. Throws Error with the list of names for any other.
std::shared_ptr<nn::Module> make_model(const std::string& name, const ModelOptions& options = {},
                                       uint64_t seed = 0);
const ModelEntry& find_model(const std::string& name);
std::vector<std::string> model_names();
std::vector<std::string> classifier_names();  // those with classes

// How many classes these weights of the network have: its head's. None where they lack the head.
std::optional<int64_t> classes_of(const ModelEntry& entry, const StateDict& weights);

// Puts one Top-K layer behind each of `places` (nn::insert_after) and returns them in that order,
// so that their fractions can be changed. Throws Error for a name that is no module.
std::vector<std::shared_ptr<nn::TopK>> insert_topk(nn::Module& network,
                                                   std::span<const std::string> places,
                                                   double fraction,
                                                   nn::TopKMethod method = nn::TopKMethod::keep);

}  // namespace gestalt::models
