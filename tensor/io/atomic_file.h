#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace gestalt {

// Gives bytes to the file being written.
using ByteSink = std::function<void(const void* data, size_t bytes)>;

// Replaces the file at `path` whole or not at all: written beside it under a temporary name,
// synced, renamed; then the folder is synced. What is no file (a folder, a device) is not replaced.
// Throws Error with the path and the reason, and leaves no temporary file behind.
void write_file_atomically(const std::string& path,
                           const std::function<void(const ByteSink&)>& write);
void write_file_atomically(const std::string& path, const void* data, size_t bytes);

// Whether write_file_atomically can write `path` now; changes nothing. Throws Error as it does.
void check_can_write(const std::string& path);

}  // namespace gestalt
