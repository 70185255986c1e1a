#pragma once

// A block of device memory that tensors share, freed with the last of them. The version counts
// in-place changes, so that autograd can tell that a saved tensor is no longer what it was.

#include <atomic>
#include <cstdint>
#include <memory>

#include "kernels/types.h"

namespace gestalt {

class Storage {
 public:
  Storage(Device device, size_t bytes);  // uninitialized
  // Memory that somebody else owns (a mapped file); `owner` is kept alive.
  Storage(Device device, void* data, size_t bytes, std::shared_ptr<const void> owner);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }
  uint64_t version() const { return version_; }
  void bump_version() { ++version_; }

 private:
  Device device_;
  void* data_;
  size_t bytes_;
  std::atomic<uint64_t> version_ = 0;
  std::shared_ptr<const void> owner_;
};

}  // namespace gestalt
