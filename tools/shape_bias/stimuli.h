#pragma once

// The folder of stimuli: {shape}/{shape}{i}-{texture}{j}.*

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/transforms.h"
#include "eval/categories.h"
#include "eval/stimulus.h"

namespace gestalt::tools {

struct Stimuli {
  data::ImageSourcePtr source;
  std::vector<eval::Stimulus> names;     // one an image
  std::vector<std::string> image_names;  // "bear3-truck2.png"
};

// Throws Error, naming the folder or the file: no class folders, one that is no category, an image
// whose name is no stimulus or that lies in the folder of another shape. Images of other sizes than
// 224x224 are told on stderr.
Stimuli open_stimuli(const std::string& folder, const eval::Categories& categories);

// 224x224 as it is; of others the shorter side becomes 256, and the central 224x224 are taken.
data::Transform stimulus_transform();

}  // namespace gestalt::tools
