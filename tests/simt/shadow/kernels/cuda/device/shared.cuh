#pragma once

// kernels/cuda/device/shared.cuh under the SIMT executor: every access is checked.

#include "kernels/cuda/namespace.h"
#include "tests/simt/device_language.h"

namespace gestalt::simt {

// One element: reads when converted, writes when assigned.
template <class T>
class SharedElement {
 public:
  SharedElement(size_t offset, int rank) : offset_(offset), rank_(rank) {}
  SharedElement(const SharedElement&) = default;

  GESTALT_SIMT_UNSEEN operator T() const { return *at(Access::read); }
  GESTALT_SIMT_UNSEEN const SharedElement& operator=(const T& value) const {
    *at(Access::write) = value;
    return *this;
  }
  const SharedElement& operator=(const SharedElement& other) const {
    return *this = static_cast<T>(other);
  }
  const SharedElement& operator+=(const T& value) const { return *this = T(*this) + value; }
  const SharedElement& operator-=(const T& value) const { return *this = T(*this) - value; }
  const SharedElement& operator*=(const T& value) const { return *this = T(*this) * value; }
  const SharedElement& operator|=(const T& value) const { return *this = T(*this) | value; }
  const SharedElement& operator^=(const T& value) const { return *this = T(*this) ^ value; }

 private:
  T* at(Access access) const {
    return static_cast<T*>(shared_access(offset_, sizeof(T), access, rank_));
  }

  size_t offset_;
  int rank_;
};

// A pointer into one carved array, which it may not leave, of the block `rank` of the cluster (-1:
// the own block).
template <class T>
class SharedArray {
 public:
  SharedArray() = default;
  SharedArray(size_t begin, int64_t count, int rank = -1)
      : begin_(begin), count_(count), rank_(rank) {}

  SharedElement<T> operator[](int64_t index) const {
    return SharedElement<T>(offset_of(position_ + index), rank_);
  }
  SharedElement<T> operator*() const { return (*this)[0]; }
  SharedArray operator+(int64_t steps) const {
    SharedArray moved = *this;
    moved.position_ += steps;
    return moved;
  }
  SharedArray& operator+=(int64_t steps) { return *this = *this + steps; }

  // Where an atomic acts.
  T* atomic_pointer() const {
    maybe_yield();
    return static_cast<T*>(shared_access(offset_of(position_), sizeof(T), Access::atomic, rank_));
  }

  template <class To>
  SharedArray<To> cast() const {
    if (address() % alignof(To) != 0) {
      fail("shared_cast to a misaligned array at byte {}", static_cast<long long>(address()));
    }
    return {address(), bytes() / static_cast<int64_t>(sizeof(To)), rank_};
  }
  SharedArray of_block(int rank) const {
    SharedArray theirs = *this;
    theirs.rank_ = rank;
    return theirs;
  }
  size_t address() const { return begin_ + static_cast<size_t>(position_) * sizeof(T); }
  int64_t bytes() const { return (count_ - position_) * static_cast<int64_t>(sizeof(T)); }

 private:
  size_t offset_of(int64_t index) const {
    if (index < 0 || index >= count_) {
      fail("index {} of a shared array of {} elements, out of bounds", index, count_);
    }
    return begin_ + static_cast<size_t>(index) * sizeof(T);
  }

  size_t begin_ = 0;
  int64_t count_ = 0;
  int64_t position_ = 0;
  int rank_ = -1;
};

template <class T, class F>
GESTALT_SIMT_UNSEEN T atomically(const SharedArray<T>& array, const F& change) {
  T* pointer = array.atomic_pointer();
  const T old = *pointer;
  *pointer = change(old);
  return old;
}

}  // namespace gestalt::simt

GESTALT_SIMT_ATOMICS(gestalt::simt::SharedArray<T>)

namespace GESTALT_CUDA_NAMESPACE {

using simt::SharedArray;

template <class T>
constexpr size_t shared_size(size_t count) {
  return (count * sizeof(T) + 15) / 16 * 16;
}

class SharedMemory {
 public:
  template <class T>
  SharedArray<T> array(size_t count) {
    const SharedArray<T> result(offset_, static_cast<int64_t>(count));
    offset_ += shared_size<T>(count);
    if (offset_ > simt::shared_bytes()) {
      simt::fail("takes {} bytes of shared memory, launched with {}",
                 static_cast<long long>(offset_), static_cast<long long>(simt::shared_bytes()));
    }
    return result;
  }

 private:
  size_t offset_ = 0;
};

template <class To, class From>
SharedArray<To> shared_cast(const SharedArray<From>& array) {
  return array.template cast<To>();
}

template <class T>
unsigned shared_address(const SharedArray<T>& array) {
  return static_cast<unsigned>(array.address());
}

}  // namespace GESTALT_CUDA_NAMESPACE
