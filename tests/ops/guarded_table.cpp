#include "tests/ops/guarded_table.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "tensor/context.h"
#include "tests/view_extent.h"

namespace gestalt::cases {
namespace {

using tests::extent_of;

constexpr int64_t guard_bytes = 256;
constexpr unsigned char pattern = 0xA7;

// The guarded copies of one call's views.
class Guards {
 public:
  explicit Guards(bool aligned) : aligned_(aligned) {}

  View copy(const View& view) {
    if (view.numel() == 0) return view;
    for (Buffer& buffer : buffers_) {  // in place: the same memory twice
      if (buffer.original.data == view.data && buffer.original.dtype == view.dtype) {
        buffer.views.push_back(view);
        GESTALT_CHECK(extent_of(view).high <= extent_of(buffer.original).high,
                      "two views overlap without being the same");
        return moved(view, buffer);
      }
    }
    const tests::ViewExtent extent = extent_of(view);
    Buffer& buffer = buffers_.emplace_back();
    buffer.original = view;
    buffer.views.push_back(view);
    const size_t bytes = static_cast<size_t>(extent.high - extent.low);
    buffer.bytes.assign(bytes + 2 * guard_bytes + 128, pattern);
    const auto address = reinterpret_cast<uintptr_t>(buffer.bytes.data());
    const auto to_aligned = static_cast<int64_t>((64 - address % 64) % 64);
    // At least 4 bytes off: Top-K's masks are 32-bit words seen as bytes.
    buffer.start =
        to_aligned + guard_bytes + (aligned_ ? 0 : std::max<int64_t>(size_of(view.dtype), 4));
    std::memcpy(buffer.bytes.data() + buffer.start, view.as<char>() + extent.low, bytes);
    buffer.before = buffer.bytes;
    return moved(view, buffer);
  }

  // Copies the elements back and throws where anything else changed.
  void finish(const char* kernel) {
    for (Buffer& buffer : buffers_) {
      for (const View& view : buffer.views) copy_elements(view, buffer);
      for (size_t i = 0; i < buffer.bytes.size(); ++i) {
        GESTALT_CHECK(buffer.bytes[i] == buffer.before[i],
                      "[{}] wrote outside {}: at byte {} from its first element", kernel,
                      buffer.original,
                      static_cast<int64_t>(i) - buffer.start + extent_of(buffer.original).low);
      }
    }
  }

 private:
  struct Buffer {
    View original;
    std::vector<View> views;
    std::vector<unsigned char> bytes, before;
    int64_t start = 0;  // of the lowest byte of the view
  };

  static View moved(View view, Buffer& buffer) {
    view.data = buffer.bytes.data() + buffer.start - extent_of(view).low;
    return view;
  }

  // To the original, and into `before`, so that only other bytes can still differ.
  static void copy_elements(const View& view, Buffer& buffer) {
    const int64_t size = size_of(view.dtype);
    const int64_t first = buffer.start - extent_of(view).low;
    Shape index = Shape::filled(view.rank(), 0);
    for (int64_t i = 0; i < view.numel(); ++i) {
      int64_t offset = 0;
      for (int dim = 0; dim < view.rank(); ++dim) offset += index[dim] * view.strides[dim];
      const unsigned char* from = buffer.bytes.data() + first + offset * size;
      char* to = view.as<char>() + offset * size;
      if (std::memcmp(to, from, size) != 0) std::memcpy(to, from, size);
      std::memcpy(buffer.before.data() + first + offset * size, from, size);
      for (int dim = view.rank() - 1; dim >= 0 && ++index[dim] == view.shape[dim]; --dim) {
        index[dim] = 0;
      }
    }
  }

  bool aligned_;  // to 64 bytes, else to the element alone
  std::deque<Buffer> buffers_;
};

// Gives a call's arguments with their views replaced. What is not a view passes.
struct Arguments {
  explicit Arguments(bool aligned) : guards(aligned) {}

  Guards guards;
  std::deque<View> views;
  std::deque<std::vector<SgdParameter>> sgd;
  std::deque<std::vector<AdamParameter>> adam;
  std::deque<std::vector<AveragedParameter>> averages;

  template <class T>
  const T& operator()(const T& value) {
    return value;
  }
  const View& operator()(const View& view) {
    tests::check_has_data(view);
    return views.emplace_back(guards.copy(view));
  }
  const View* operator()(const View* view) { return view == nullptr ? nullptr : &(*this)(*view); }
  std::span<const SgdParameter> operator()(std::span<const SgdParameter> parameters) {
    std::vector<SgdParameter>& copies = sgd.emplace_back();
    for (const SgdParameter& entry : parameters) {
      copies.push_back(
          {(*this)(entry.parameter), (*this)(entry.gradient), (*this)(entry.momentum)});
    }
    return copies;
  }
  std::span<const AdamParameter> operator()(std::span<const AdamParameter> parameters) {
    std::vector<AdamParameter>& copies = adam.emplace_back();
    for (const AdamParameter& entry : parameters) {
      copies.push_back({(*this)(entry.parameter), (*this)(entry.gradient),
                        (*this)(entry.first_moment), (*this)(entry.second_moment)});
    }
    return copies;
  }
  std::span<const AveragedParameter> operator()(std::span<const AveragedParameter> parameters) {
    std::vector<AveragedParameter>& copies = averages.emplace_back();
    for (const AveragedParameter& entry : parameters) {
      copies.push_back({(*this)(entry.parameter), (*this)(entry.average)});
    }
    return copies;
  }
};

struct Wrapped {
  KernelTable table;
  std::set<std::string> reached;
};

std::map<const KernelTable*, Wrapped>& wrapped_tables() {
  static std::map<const KernelTable*, Wrapped> tables;
  return tables;
}

const KernelTable* current_base = nullptr;

template <auto member, class Signature>
struct GuardedKernel;

template <auto member, class... Args>
struct GuardedKernel<member, Kernel<void(Args...)>> {
  static void call(Context& context, Args... args) {
    const auto& kernel = current_base->*member;
    wrapped_tables()[current_base].reached.insert(kernel.name);
    // Kernels may take another path for aligned memory: each case calls them more than once.
    static bool aligned = true;
    aligned = !aligned;
    Arguments guard(aligned);
    kernel.function(context, guard(args)...);
    guard.guards.finish(kernel.name);
  }
};

template <auto member, class T>
void wrap(const KernelTable& base, KernelTable& table, T KernelTable::*) {
  if (base.*member) (table.*member).function = GuardedKernel<member, T>::call;
}

}  // namespace

const KernelTable& guarded(const KernelTable& base) {
  current_base = &base;
  const bool known = wrapped_tables().contains(&base);
  KernelTable& table = wrapped_tables()[&base].table;
  if (!known) {
#define GESTALT_WRAP_KERNEL(name, ...) wrap<&KernelTable::name>(base, table, &KernelTable::name);
    GESTALT_KERNELS(GESTALT_WRAP_KERNEL)
#undef GESTALT_WRAP_KERNEL
  }
  return table;
}

const std::set<std::string>& reached(const KernelTable& base) {
  return wrapped_tables()[&base].reached;
}

UseTable::UseTable(const KernelTable& table) : before_(context({}).kernels()) {
  context({}).set_kernels(table);
}
UseTable::~UseTable() {
  context({}).set_kernels(before_);
}

}  // namespace gestalt::cases
