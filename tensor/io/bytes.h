#pragma once

// Files as bytes in memory, and the bounds-checked cursor that every reader uses.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace gestalt {

// A run of bytes that keeps its owner alive. Slices share the owner.
struct Bytes {
  const std::byte* data = nullptr;
  size_t size = 0;
  std::shared_ptr<const void> owner;

  // Throws Error ("truncated") where the range is not inside.
  Bytes slice(size_t offset, size_t count) const;
  std::string_view text() const { return {reinterpret_cast<const char*>(data), size}; }
};

// Uninitialized memory of `size` bytes; `memory` gets the writable pointer.
Bytes allocate_bytes(size_t size, std::byte*& memory);

// The whole file, mapped privately: pages are read when touched, and writing to them changes the
// copy in memory alone. Throws Error with the reason ("no such file", "is a folder" ...), without
// the path.
Bytes map_file(const std::string& path);

// Reads forward. Every read throws Error ("truncated") where too few bytes are left.
class Cursor {
 public:
  explicit Cursor(Bytes bytes) : bytes_(std::move(bytes)) {}

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size - position_; }
  size_t size() const { return bytes_.size; }

  uint8_t u8() { return little_endian<uint8_t>(); }
  template <class T>
  T little_endian() {
    static_assert(std::endian::native == std::endian::little);
    T value;
    std::memcpy(&value, need(sizeof(T)), sizeof(T));
    return value;
  }
  Bytes take(size_t count);
  // Up to the next newline, which is consumed and left out.
  std::string_view line();

 private:
  const std::byte* need(size_t count);

  Bytes bytes_;
  size_t position_ = 0;
};

}  // namespace gestalt
