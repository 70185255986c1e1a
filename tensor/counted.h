#pragma once

// Numbers of things in messages: "1 picture", "2 pictures".

#include <cstdint>
#include <string>

namespace gestalt {

// `noun` in the singular; its plural ends in s.
inline std::string counted(int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace gestalt
