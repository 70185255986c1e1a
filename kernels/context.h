#pragma once

// Context: what a kernel needs besides its arguments. Passed explicitly to every kernel.
//
// One Context is used by one thread at a time. Kernels of one Context run in order on its stream.

#include <cstddef>
#include <map>
#include <memory>
#include <typeindex>

#include "kernels/types.h"

namespace gestalt {

struct KernelTable;
struct Runtime;

class Context {
 public:
  Context(Device device, const Runtime& runtime, void* stream = nullptr);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Device device() const { return device_; }
  const Runtime& runtime() const { return runtime_; }
  void* stream() const { return stream_; }  // cudaStream_t; null on the CPU

  const KernelTable& kernels() const { return *kernels_; }
  // Tests put tracing or emulated tables here.
  void set_kernels(const KernelTable& kernels) { kernels_ = &kernels; }

  // By default f32 convolutions may use Winograd (CPU) and TF32 (CUDA); exact forbids both.
  bool exact() const { return exact_; }
  void set_exact(bool exact) { exact_ = exact; }

  // Scratch memory of at least `bytes`, 256-byte aligned, valid until the next call of either.
  void* workspace(size_t bytes);
  // The same, but null where there is no memory for it.
  void* try_workspace(size_t bytes);

  // Library state that lives as long as the context (handles, plan caches), default-constructed
  // when first asked for.
  template <class T>
  T& state() {
    std::shared_ptr<void>& slot = states_[std::type_index(typeid(T))];
    if (!slot) slot = std::make_shared<T>();
    return *static_cast<T*>(slot.get());
  }

 private:
  Device device_;
  const Runtime& runtime_;
  void* stream_;
  const KernelTable* kernels_;
  bool exact_ = false;
  void* workspace_ = nullptr;
  size_t workspace_bytes_ = 0;
  std::map<std::type_index, std::shared_ptr<void>> states_;
};

}  // namespace gestalt
