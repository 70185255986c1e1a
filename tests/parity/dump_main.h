#pragma once

// What the dump_* programs share.

#include <algorithm>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <string>

#include "kernels/error.h"
#include "nn/module.h"
#include "tensor/state_dict.h"

namespace gestalt::tests {

// main() of a program: dump(argv) where there are so many arguments, else its usage, whose
// first word is the program's name. The exit code: 0, 1 with the error's line, 2.
template <class Dump>
int dump_main(int argc, char** argv, const std::string& usage, std::initializer_list<int> counts,
              const Dump& dump) {
  if (std::find(counts.begin(), counts.end(), argc - 1) == counts.end()) {
    std::fprintf(stderr, "usage: %s\n", usage.c_str());
    return 2;
  }
  try {
    dump(argv);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", usage.substr(0, usage.find(' ')).c_str(), error.what());
    return 1;
  }
}

// Throws Error where there is none.
inline Tensor named(const StateDict& state, const std::string& name) {
  const Tensor* tensor = find_tensor(state, name);
  GESTALT_CHECK(tensor != nullptr, "no tensor '{}'", name);
  return *tensor;
}

// The gradients of a network's parameters as they are now, under prefix and name.
inline void add_gradients(const std::string& prefix, const nn::Module& network, StateDict& out) {
  for (const auto& parameter : network.named_parameters()) {
    out.push_back({prefix + parameter.name, parameter.tensor->grad().clone()});
  }
}

inline void add_buffers(const std::string& prefix, const nn::Module& network, StateDict& out) {
  for (const auto& buffer : network.named_buffers()) {
    out.push_back({prefix + buffer.name, buffer.tensor->clone()});
  }
}

}  // namespace gestalt::tests
