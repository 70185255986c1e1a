#include "tools/shape_bias/observer_names.h"

#include <algorithm>

#include "eval/text.h"
#include "kernels/error.h"

namespace gestalt::tools {

std::string base_name(const std::string& model) {
  if (model == "vgg16") return "VGG";  // the published one
  struct Family {
    std::string model, name;
  };
  for (const Family& family :
       {Family{"alexnet", "AlexNet"}, {"vgg", "VGG"}, {"resnet", "ResNet"}}) {
    if (model.starts_with(family.model)) return family.name + model.substr(family.model.size());
  }
  return model;
}

std::string subject_name(const ObserverNaming& naming, double fraction) {
  if (fraction == 1) return naming.network + "_normal";
  std::string name = naming.network;
  if (!naming.layers.empty()) name += format("_{}", eval::join(naming.layers, "+"));
  if (naming.method != nn::TopKMethod::keep) {
    name += format("_{}", name_of(topk_method_names, naming.method));
  }
  return format("{}_topK_{}", name, fraction * 100);
}

std::filesystem::path decisions_file(const std::string& subject) {
  std::string name = subject;
  std::replace(name.begin(), name.end(), '_', '-');
  return format("cue-conflict_{}_session-1.csv", name);
}

}  // namespace gestalt::tools
