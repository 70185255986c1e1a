#pragma once

// NumPy's .npy files, little-endian. Source:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

#include <cstdint>
#include <filesystem>
#include <vector>

#include "tensor/tensor.h"

namespace gestalt::tools {

// f64 of one dimension, version 1.0; whole or not at all.
void write_npy(const std::filesystem::path& path, const std::vector<double>& values);

// Whether the file begins as a .npy does; false where it cannot be read.
bool is_npy(const std::filesystem::path& path);

// An array of two dimensions, f4 or f8 in C order, as f32 or f64 on the CPU. Throws Error with the
// reason, without the path.
Tensor read_npy_matrix(const std::filesystem::path& path);

}  // namespace gestalt::tools
