#pragma once

// What stylize_images does: every content picture in the style of one, several or mixed styles.

#include <cstdint>
#include <string>
#include <vector>

#include "tools/common/choice.h"
#include "tools/common/tool.h"

namespace gestalt::tools {

// In which styles each content is made: in every one, in one drawn for it, in all mixed.
enum class StyleChoice { each, random, mix };
inline const Names<StyleChoice> style_choice_names = {
    {"each", StyleChoice::each}, {"random", StyleChoice::random}, {"mix", StyleChoice::mix}};

struct StylizeSettings {
  std::string content, style, output = "output", encoder, decoder;
  double val_fraction = 0;  // above 0: only what train_classifier holds out of class folders
  uint64_t split_seed = 0;
  StyleChoice styles = StyleChoice::each;
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
