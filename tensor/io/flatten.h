#pragma once

// From the tree of a checkpoint to named tensors: dicts and lists give dotted names, modules the
// names of their parameters and buffers. What is not a tensor is passed over, and said so;
// optimizer states and numbers too, unless asked for (internal to tensor/io/).

#include <string>
#include <vector>

#include "tensor/io/pickle.h"

namespace gestalt::pickle {

struct FlatTensor {
  std::string name;
  TensorRecord* record;
};

// A container that holds tensors directly, or a module: what a state dict may be.
struct FlatGroup {
  std::string prefix;  // "" for the whole file
  bool is_list;
  bool numbers_alone;  // every tensor that it holds directly has one element
};

struct FlatNumber {
  std::string name;  // "opt_g.param_groups.0.betas.1"
  double value;      // booleans are 0 or 1
};

struct FlatTree {
  std::vector<FlatTensor> tensors;
  std::vector<FlatNumber> numbers;
  std::vector<FlatGroup> groups;
  std::vector<std::string> passed_over;  // lines for the user
};

struct FlattenOptions {
  bool training_state = false;  // optimizer states and numbers, those in lists too
};
FlatTree flatten(const Value& root, const Arena& arena, const FlattenOptions& options = {});

}  // namespace gestalt::pickle
