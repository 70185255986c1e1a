#pragma once

// GuardedBuffer<T>: `count` elements of poison (NaN for floats) between guard bytes, for outputs of
// kernels under test. intact() tells whether the guards are as they were; where accesses are seen
// (access_hooks.h) one to a guard, or a read of what no kernel wrote, ends the launch. Made from
// values it is an input: between guards too, but with something to read.

#include <algorithm>
#include <cstring>
#include <vector>

#include "tests/simt/global_memory.h"

namespace gestalt::simt {

template <class T>
class GuardedBuffer {
 public:
  explicit GuardedBuffer(size_t count) : GuardedBuffer(count, false) {
    std::fill_n(bytes_.begin() + guard_bytes, count * sizeof(T), poison);
  }
  explicit GuardedBuffer(const std::vector<T>& values) : GuardedBuffer(values.size(), true) {
    if (!values.empty()) std::memcpy(data(), values.data(), values.size() * sizeof(T));
  }

  const T* data() const { return reinterpret_cast<const T*>(bytes_.data() + guard_bytes); }
  T* data() { return reinterpret_cast<T*>(bytes_.data() + guard_bytes); }
  size_t size() const { return count_; }
  T operator[](size_t index) { return data()[index]; }

  bool intact() const {
    const auto is_guard = [](unsigned char byte) { return byte == guard; };
    return std::all_of(bytes_.begin(), bytes_.begin() + guard_bytes, is_guard) &&
           std::all_of(bytes_.end() - guard_bytes, bytes_.end(), is_guard);
  }

 private:
  static constexpr size_t guard_bytes = 256;
  static constexpr unsigned char guard = 0xa5;
  static constexpr unsigned char poison = 0xff;  // a NaN as f16, bf16, f32 and f64

  GuardedBuffer(size_t count, bool initialized)
      : count_(count),
        bytes_(count * sizeof(T) + 2 * guard_bytes, guard),
        watched_(data(), data() + count, guard_bytes, initialized) {}

  size_t count_;
  std::vector<unsigned char> bytes_;
  WatchedBuffer watched_;
};

}  // namespace gestalt::simt
