#pragma once

// A kernel table around another one, for memory of the CPU. Each call runs on copies of its
// arguments: every view lies in a buffer of its own, between guard bytes and, every other time, at
// an address aligned to its element alone. A byte changed outside the elements of a view is an
// error that names the kernel. The table also remembers which kernels were called.

#include <set>
#include <string>

#include "kernels/table.h"

namespace gestalt::cases {

// The guarded form of `base`, which must outlive it. One at a time is in use.
const KernelTable& guarded(const KernelTable& base);

// The kernels of `base` that were called through guarded(base).
const std::set<std::string>& reached(const KernelTable& base);

// The context of the CPU uses `table` while this lives.
class UseTable {
 public:
  explicit UseTable(const KernelTable& table);
  ~UseTable();
  UseTable(const UseTable&) = delete;
  UseTable& operator=(const UseTable&) = delete;

 private:
  const KernelTable& before_;
};

}  // namespace gestalt::cases
