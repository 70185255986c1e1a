#pragma once

// FID and KID of two sets of images, each a folder, a packed file, or a file of features or of
// their statistics.

#include <cstdint>
#include <string>
#include <vector>

#include "eval/inception_features.h"

namespace gestalt::tools {

struct MeasureSettings {
  std::string a, b;
  std::string inception;  // weights; empty: the untrained network
  int64_t width = 2048;   // the tap
  std::vector<eval::PixelRange> ranges = {eval::PixelRange::full};  // one after the other
  int resize = 0;  // side of the square that every image becomes first, pixels; 0: it stays
  int64_t batch_size = 8;
  int64_t subsets = 100, subset_size = 100;  // of KID
  uint32_t kid_seed = 2020;
  std::string cache;  // folder; empty: the default one
  bool no_cache = false;
  std::string save_a, save_b;  // features, in a .npz statistics, as files; empty: not kept
  std::string json;            // file, "-": stdout; empty: none
  std::string command;         // for the JSON
  bool quiet = false;
  std::vector<std::string> of_images = {};  // the flags given that say how features are made
};

// Prints the figures and returns the exit code.
int measure_fid(const MeasureSettings& settings);

}  // namespace gestalt::tools
