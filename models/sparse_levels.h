#pragma once

// Where a network keeps only its strongest activations, as the published flags say it:
// LEVELS_PERCENTS, "32_5" or "16-32_10-5". What a level is, a resolution or a stage, is the
// network's.

#include <cstdint>
#include <map>
#include <string>

namespace gestalt::models {

using SparseLevels = std::map<int64_t, double>;  // level -> fraction kept, in (0, 1]

// One percentage a level, or one for all; "none": no level. Throws Error for lists of
// different lengths, what is no number, a level twice, percentages outside (0, 100]; it gives
// `examples`.
SparseLevels parse_sparse_levels(const std::string& text,
                                 const std::string& examples = "32_5 or 16-32_10-5");
// The other way, with a percentage a level.
std::string to_text(const SparseLevels& levels);

}  // namespace gestalt::models
