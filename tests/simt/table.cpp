#include "tests/simt/table.h"

#include <span>
#include <vector>

#include "kernels/cpu/table.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/own_kernels.h"
#include "tests/simt/global_memory.h"
#include "tests/view_extent.h"

namespace gestalt {
namespace {

// ---- what a call of an entry allows its kernels to access: its views, and the workspace ----

class Arguments {
 public:
  void add(const View& view) {
    tests::check_has_data(view);
    if (view.numel() == 0) return;
    const tests::ViewExtent extent = tests::extent_of(view);
    ranges_.push_back({view.as<const char>() + extent.low, view.as<const char>() + extent.high});
  }
  void add(const View* view) {
    if (view != nullptr) add(*view);
  }
  void add(std::span<const SgdParameter> parameters) {
    for (const SgdParameter& p : parameters) {
      add(p.parameter), add(p.gradient), add(p.momentum);
    }
    last_is_output_ = false;
  }
  void add(std::span<const AdamParameter> parameters) {
    for (const AdamParameter& p : parameters) {
      add(p.parameter), add(p.gradient), add(p.first_moment), add(p.second_moment);
    }
    last_is_output_ = false;
  }
  void add(std::span<const AveragedParameter> parameters) {
    for (const AveragedParameter& p : parameters) add(p.parameter), add(p.average);
    last_is_output_ = false;
  }
  template <class T>
  void add(const T&) {}

  // The last view of every entry is an output: unless it is an input too, nothing is read there
  // before it was written.
  void allow(simt::AllowedMemory& memory) const {
    for (size_t i = 0; i < ranges_.size(); ++i) {
      const Range& range = ranges_[i];
      bool initialized = i + 1 < ranges_.size() || !last_is_output_;
      for (size_t j = 0; j < i; ++j) {
        initialized |= ranges_[j].begin < range.end && range.begin < ranges_[j].end;
      }
      memory.add(range.begin, static_cast<size_t>(range.end - range.begin), initialized);
    }
  }

 private:
  struct Range {
    const char *begin, *end;
  };

  std::vector<Range> ranges_;
  bool last_is_output_ = true;
};

template <class... Args>
struct Checked {
  template <void (*function)(Context&, Args...)>
  static void call(Context& context, Args... args) {
    Arguments arguments;
    (arguments.add(args), ...);
    simt::AllowedMemory memory;
    arguments.allow(memory);
    function(context, args...);
  }
};

template <auto function, class... Args>
constexpr auto checked(void (*)(Context&, Args...)) {
  return &Checked<Args...>::template call<function>;
}

}  // namespace

const KernelTable& simt_kernels() {
  static const KernelTable table = [] {
    KernelTable own = cpu_kernels;
#define GESTALT_ENTRY(name) \
  own.name.function = checked<GESTALT_CUDA_NAMESPACE::name>(GESTALT_CUDA_NAMESPACE::name);
    GESTALT_OWN_CUDA_KERNELS(GESTALT_ENTRY)
#undef GESTALT_ENTRY
    return own;
  }();
  return table;
}

}  // namespace gestalt
