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
// `side` x `side` are told on stderr.
Stimuli open_stimuli(const std::string& folder, const eval::Categories& categories, int side);

// `side` x `side` as it is; of others the shorter side becomes data::resize_before_crop(side), and
// the centre is taken.
data::Transform stimulus_transform(int side);

}  // namespace gestalt::tools
