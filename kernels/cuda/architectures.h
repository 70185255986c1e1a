#pragma once

// Which GPUs the device code of a build runs on.

#include <charconv>
#include <string_view>

namespace gestalt::cuda {

// `built` as GESTALT_CUDA_ARCHITECTURES, with commas: "75-real,80-real,90". Machine code of X.Y
// runs on X.Z with Z >= Y; PTX (where not "-real") on everything newer; "90a" on 9.0 alone. Words
// such as "all" and "native" are taken to be right.
inline bool has_code_for(std::string_view built, int major, int minor) {
  while (!built.empty()) {
    const std::string_view entry = built.substr(0, built.find(','));
    built.remove_prefix(entry.size() == built.size() ? built.size() : entry.size() + 1);
    int number = 0;
    const auto [end, error] = std::from_chars(entry.data(), entry.data() + entry.size(), number);
    if (error != std::errc{}) return true;
    const std::string_view kind(end, static_cast<size_t>(entry.data() + entry.size() - end));
    const int device = 10 * major + minor;
    if (kind.starts_with('a')) {
      if (device == number) return true;
      continue;
    }
    const bool machine_code = kind != "-virtual", ptx = kind != "-real";
    if (machine_code && number / 10 == major && number % 10 <= minor) return true;
    if (ptx && number <= device) return true;
  }
  return false;
}

}  // namespace gestalt::cuda
