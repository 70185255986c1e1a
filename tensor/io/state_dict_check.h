#pragma once

// Does a state dict fit a network? The table that a user sees where it does not.

#include <span>
#include <string>
#include <vector>

#include "tensor/state_dict.h"

namespace gestalt {

struct ExpectedTensor {
  std::string name;
  Shape shape;
};

// Shapes as text, for the user.
struct StateDictReport {
  struct Mismatch {
    std::string name, expected, found;
  };
  std::vector<std::string> missing;     // expected, not in the state dict
  std::vector<std::string> unexpected;  // in the state dict, not expected
  std::vector<Mismatch> mismatched;     // of another shape
  bool ok() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
};

// By name and shape; element types convert. Missing ones in the order of `expected`, unexpected
// ones in that of `actual`.
StateDictReport compare_state_dicts(std::span<const ExpectedTensor> expected,
                                    std::span<const NamedTensor> actual);

// A table of the three lists, one line an entry, at most `most` of each; begins with a newline.
// Empty where all fits.
std::string to_string(const StateDictReport& report, size_t most = 10);

}  // namespace gestalt
