#pragma once

// Shape bias (Geirhos et al. 2019): of the decisions for the shape or the texture of a cue-conflict
// stimulus, the share for the shape. Stimuli with one category as both are left out.

#include <cstdint>
#include <span>
#include <vector>

#include "eval/categories.h"
#include "eval/decisions.h"

namespace gestalt::eval {

struct CueCounts {
  int64_t n = 0;  // stimuli with a conflict
  int64_t shape = 0, texture = 0;

  int64_t hits() const { return shape + texture; }
  CueCounts& operator+=(const CueCounts& other);
};

struct ShapeBias {
  CueCounts total;
  std::vector<CueCounts> per_category;  // by the shape, in the order of the categories
  // Over every stimulus, those without a conflict too: the response is the shape.
  int64_t correct = 0, decisions = 0;

  ShapeBias& operator+=(const ShapeBias& other);  // pooled; of the same categories
};

ShapeBias count_shape_bias(std::span<const Decision> decisions, const Categories& categories);

// The hit rate of guessing among the categories: shape or texture, 2 of them all.
double chance_hit_rate(const Categories& categories);

// Below twice the chance half of the hits or more may be guesses, and a guesser has a shape bias
// of 0.5.
bool is_near_chance(const CueCounts& counts, const Categories& categories);

// Unweighted mean over categories of shape / hits, those without a hit left out; NaN where none has
// one.
double mean_over_categories(const ShapeBias& bias);

}  // namespace gestalt::eval
