#pragma once

// Files that are there whole or not at all, whenever the process or the machine stops, and what
// stopped writes left behind.

#include <cstddef>
#include <cstdint>
#include <filesystem>
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

// PATH.gestalt-tmp.PID: a name under which this process writes what becomes `path`. (A write of the
// functions above has a number of its own before the mark.)
std::string temporary_path(const std::string& path);

// Removes what killed processes left in `folder` itself under such names; passes over what it can't
// remove. A process that another host (or container) runs in a folder of both looks gone on this
// one: so a file goes where this host has no process of its number, and nothing was written to it
// for a day, longer than any write takes, or the process is `gone`, of which the caller knows (0:
// none).
void remove_leftovers(const std::filesystem::path& folder, int64_t gone = 0);

// Whether this host has no process of that number.
bool process_is_gone(int64_t pid);

// Whether write_file_atomically can write `path` now; changes nothing. Throws Error as it does.
void check_can_write(const std::string& path);

}  // namespace gestalt
