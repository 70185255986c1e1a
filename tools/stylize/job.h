#pragma once

// What stylize_images does: every content picture in the style of one, several or mixed styles.

#include <cstdint>
#include <string>
#include <vector>

#include "tools/common/tool.h"

namespace gestalt::tools {

struct StylizeSettings {
  std::string content, style, output = "output", encoder, decoder;
  double val_fraction = 0;  // above 0: only what train_classifier holds out of class folders
  uint64_t split_seed = 0;
  std::string styles = "each";  // each, random, mix
  std::vector<double> weights;  // of mix; empty: equal
  double alpha = 1;
  int content_size = 512, style_size = 512;  // the shorter side; 0: as it is
  bool crop = false, preserve_color = false;
  std::string extension = ".jpg", tile = "auto";
};

// Throws Error where settings don't fit together.
void check_settings(const StylizeSettings& settings);

// Returns the exit code.
int stylize(const StylizeSettings& settings, const CommonOptions& common);

}  // namespace gestalt::tools
