#pragma once

// Numbers in state dicts: an optimizer's counters and scalars are tensors of rank 1 on the CPU (f64
// or i64), so that a state dict goes into a safetensors file as it is.

#include <cstdint>
#include <string>
#include <vector>

#include "tensor/state_dict.h"

namespace gestalt::optim {

NamedTensor number(std::string name, double value);
NamedTensor number(std::string name, int64_t value);
NamedTensor numbers(std::string name, const std::vector<double>& values);

// Throw Error naming `owner` and the key where it is missing or does not hold that.
const Tensor& require(const char* owner, const StateDict& state, const std::string& name);
double require_number(const char* owner, const StateDict& state, const std::string& name);
int64_t require_integer(const char* owner, const StateDict& state, const std::string& name);
std::vector<double> require_numbers(const char* owner, const StateDict& state,
                                    const std::string& name);

// A copy of `saved` with these options; throws where its shape is another.
Tensor restored(const char* owner, const std::string& name, const Tensor& saved, const Shape& shape,
                const TensorOptions& options);

// `kept` has the values of `loaded` from here on, in the memory that it has: a captured step
// (tensor/graph.h) goes on with them. In other memory only where their options differ; another
// tensor only where one of the two is undefined.
void take_values(Tensor& kept, const Tensor& loaded);

}  // namespace gestalt::optim
