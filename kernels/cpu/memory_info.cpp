#include "kernels/cpu/memory_info.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

#include "kernels/error.h"

namespace gestalt::cpu {
namespace {

namespace fs = std::filesystem;

// The numbers of lines "NAME NUMBER ..." or "NAME: NUMBER ...".
size_t number_of(const fs::path& path, const std::string& name) {
  std::ifstream file(path);
  std::string found, rest;
  for (size_t value = 0; file >> found >> value; std::getline(file, rest)) {
    if (found == name) return value;
  }
  return 0;
}

// Nothing where there is no such file, or "max" in it.
std::optional<size_t> only_number(const fs::path& path) {
  std::ifstream file(path);
  size_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

// Names of a version's files.
struct Version {
  const char *folder, *limit, *used, *inactive, *active;
};
constexpr Version first = {"sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes",
                           "total_inactive_file", "total_active_file"};
constexpr Version second = {"sys/fs/cgroup", "memory.max", "memory.current", "inactive_file",
                            "active_file"};

void apply_limit(MemoryInfo& info, size_t of_machine, const fs::path& group,
                 const Version& version) {
  const auto limit = only_number(group / version.limit);
  if (!limit || *limit >= of_machine) return;  // version 1 has a huge number for none
  const fs::path stat = group / "memory.stat";
  const size_t used = only_number(group / version.used).value_or(0);
  const size_t cached = number_of(stat, version.inactive) + number_of(stat, version.active);
  const size_t taken = used - std::min(used, cached);
  info.total = std::min(info.total, *limit);
  info.free = std::min(info.free, *limit - std::min(*limit, taken));
}

}  // namespace

MemoryInfo memory_info(const fs::path& root) {
  const fs::path machine = root / "proc/meminfo";
  MemoryInfo info{.free = number_of(machine, "MemAvailable:") << 10,
                  .total = number_of(machine, "MemTotal:") << 10};
  const size_t of_machine = info.total;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // NUMBER:CONTROLLERS:/PATH
    const size_t begin = line.find(':'), end = line.find(':', begin + 1);
    if (begin == std::string::npos || end == std::string::npos) continue;
    const std::string controllers = format(",{},", line.substr(begin + 1, end - begin - 1));
    const bool is_second = controllers == ",,";
    if (!is_second && controllers.find(",memory,") == std::string::npos) continue;
    const Version& version = is_second ? second : first;
    const fs::path top = root / version.folder;
    // In a container the path may be the machine's, of which only the upper end is there.
    for (fs::path path = fs::path(line.substr(end + 1)).relative_path();;
         path = path.parent_path()) {
      apply_limit(info, of_machine, top / path, version);
      if (path.empty()) break;
    }
  }
  info.taken = info.total - std::min(info.total, info.free);
  return info;
}

}  // namespace gestalt::cpu
