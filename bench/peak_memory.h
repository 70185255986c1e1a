#pragma once

// The most memory that this process has had resident, in MB; 0 where /proc does not say.

#include <fstream>
#include <string>

namespace gestalt::bench {

inline double peak_megabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

}  // namespace gestalt::bench
