#pragma once

// Names of networks as observers, as published: AlexNet_normal, AlexNet_topK_10, VGG_topK_5.

#include <filesystem>
#include <string>
#include <vector>

#include "nn/layers.h"
#include "tools/common/choice.h"

namespace gestalt::tools {

// As flags and observers' names have them.
inline const Names<nn::TopKMethod> topk_method_names = {
    {"keep", nn::TopKMethod::keep},
    {"reverse", nn::TopKMethod::reverse},
    {"mean_replace", nn::TopKMethod::mean_replace}};

struct ObserverNaming {
  std::string network;              // base_name()
  std::vector<std::string> layers;  // where Top-K stands, if not at the usual places
  nn::TopKMethod method = nn::TopKMethod::keep;
};

// Of a name of models/registry.h: AlexNet for alexnet, VGG for vgg16, VGG19, ResNet18.
std::string base_name(const std::string& model);

// 1 is "_normal", whatever the layers: Top-K keeps everything.
std::string subject_name(const ObserverNaming& naming, double fraction);

// "cue-conflict_AlexNet-topK-10_session-1.csv"
std::filesystem::path decisions_file(const std::string& subject);

}  // namespace gestalt::tools
