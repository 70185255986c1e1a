#pragma once

// From the tree of a checkpoint to named tensors: dicts and lists give dotted names, modules the
// names of their parameters and buffers. Optimizer states and everything that is not a tensor are
// passed over, and said so.

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

struct FlatTree {
  std::vector<FlatTensor> tensors;
  std::vector<FlatGroup> groups;
  std::vector<std::string> passed_over;  // lines for the user
};

FlatTree flatten(const Value& root, const Arena& arena);

}  // namespace gestalt::pickle
