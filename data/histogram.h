#pragma once

// Histogram matching, as the texture-synthesis programs that followed Gatys et al. (2015) end with.
//
// Per channel: each source value is replaced by its rank over the size, r in (0, 1] (equal values
// get their mean rank), and r is mapped through the inverse of the target's cumulative histogram of
// `bins` equal bins over [min, max], linear within a bin. Where an empty bin makes the inverse
// ambiguous, its lower end is taken. A constant target gives that constant.
//
// Errors: gestalt::Error where source and matched differ in size, a size is zero, sizes are no
// multiple of `channels`, or a value is not finite.

#include <span>

namespace gestalt::data {

// source, matched: [channels, source size]; target: [channels, target size]. May be in place.
void match_histogram(std::span<const float> source, std::span<const float> target,
                     std::span<float> matched, int channels = 3, int bins = 100);

}  // namespace gestalt::data
