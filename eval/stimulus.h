#pragma once

// Cue-conflict stimuli (Geirhos et al. 2019): the shape of one category, the texture of another,
// both in the name: `{shape}{i}-{texture}{j}.png`, e.g. bear3-truck2.png.

#include <string>
#include <string_view>

#include "eval/categories.h"

namespace gestalt::eval {

struct Stimulus {
  // "bear3-truck2": without extension, and without what people's files put before.
  std::string name;
  std::string shape, texture;

  // Of 1,280 published stimuli 80 have one category as both; they say nothing about shape bias.
  bool has_conflict() const { return shape != texture; }
};

// `image_name` with or without an extension; the files of people put their own trial before it
// ("0001_s5n_s01_0_bird_00_bird3-bird2.png"). Throws Error where it is no such name.
Stimulus parse_stimulus(std::string_view image_name, const Categories& categories);

}  // namespace gestalt::eval
