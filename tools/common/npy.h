#pragma once

// NumPy's .npy files, version 1.0: little-endian f64 in C order. Source:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

#include <cstdint>
#include <filesystem>
#include <vector>

namespace gestalt::tools {

// One dimension, whole or not at all.
void write_npy(const std::filesystem::path& path, const std::vector<double>& values);

}  // namespace gestalt::tools
