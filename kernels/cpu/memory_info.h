#pragma once

// Memory that this process can still have: of the machine, and of its job's limit (Linux control
// groups, as batch schedulers and containers set them). Nothing throws.

#include <filesystem>

#include "kernels/runtime.h"

namespace gestalt::cpu {

// As the files below `root` tell it ("/", but in tests): proc/meminfo, and the limits of the
// control group in proc/self/cgroup and of those above it in sys/fs/cgroup, of version 2 or 1. What
// a group caches of files counts as free: the system takes that away first.
MemoryInfo memory_info(const std::filesystem::path& root);

}  // namespace gestalt::cpu
