#pragma once

// A number that depends on a name alone (internal to data/ and tools/): what is chosen by it for
// one image does not change with the others beside it.

#include <cstdint>
#include <string_view>

namespace gestalt::data {

// 64-bit FNV-1a.
inline uint64_t name_hash(std::string_view name) {
  uint64_t value = 0xCBF29CE484222325;
  for (const char c : name) value = (value ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  return value;
}

}  // namespace gestalt::data
