#pragma once

// A descriptor of cuDNN's graph API, of whatever kind: attributes are set by name, then it is
// finalized (internal to kernels/ and its tests).
// https://docs.nvidia.com/deeplearning/cudnn/backend/latest/api/cudnn-graph-library.html

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "kernels/cuda/library/check.h"

namespace gestalt::cuda {

// Other descriptors as values: cuDNN's own name for them is void*.
struct DescriptorValue {
  cudnnBackendDescriptor_t descriptor;
};

// What cuDNN calls the C++ type of an attribute's value.
// clang-format off
constexpr auto attribute_type(const int64_t*) { return CUDNN_TYPE_INT64; }
constexpr auto attribute_type(const float*) { return CUDNN_TYPE_FLOAT; }
constexpr auto attribute_type(const char*) { return CUDNN_TYPE_CHAR; }
constexpr auto attribute_type(void* const*) { return CUDNN_TYPE_VOID_PTR; }
constexpr auto attribute_type(const DescriptorValue*) { return CUDNN_TYPE_BACKEND_DESCRIPTOR; }
constexpr auto attribute_type(const cudnnHandle_t*) { return CUDNN_TYPE_HANDLE; }
constexpr auto attribute_type(const cudnnDataType_t*) { return CUDNN_TYPE_DATA_TYPE; }
constexpr auto attribute_type(const cudnnConvolutionMode_t*) { return CUDNN_TYPE_CONVOLUTION_MODE; }
constexpr auto attribute_type(const cudnnBackendHeurMode_t*) { return CUDNN_TYPE_HEUR_MODE; }
constexpr auto attribute_type(const cudnnBackendNumericalNote_t*) { return CUDNN_TYPE_NUMERICAL_NOTE; }
constexpr auto attribute_type(const cudnnBackendBehaviorNote_t*) { return CUDNN_TYPE_BEHAVIOR_NOTE; }
// clang-format on

class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) {
    check(cudnn().cudnnBackendCreateDescriptor(type, &descriptor_), "cuDNN descriptor");
  }
  Descriptor(Descriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor() {
    if (descriptor_ != nullptr) {
      check_or_log(cudnn().cudnnBackendDestroyDescriptor(descriptor_), "cuDNN descriptor");
    }
  }

  cudnnBackendDescriptor_t get() const { return descriptor_; }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, std::span<const T> values) {
    check(cudnn().cudnnBackendSetAttribute(descriptor_, name, attribute_type(values.data()),
                                           static_cast<int64_t>(values.size()), values.data()),
          "cuDNN attribute");
    return *this;
  }
  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, const T& value) {
    return set(name, std::span<const T>(&value, 1));
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& value) {
    return set(name, DescriptorValue{value.descriptor_});
  }

  void finalize() { check(try_to_finalize(), "cuDNN descriptor"); }
  cudnnStatus_t try_to_finalize() { return cudnn().cudnnBackendFinalize(descriptor_); }

  // At most `most` values of an attribute that is not a descriptor.
  template <class T>
  std::vector<T> get(cudnnBackendAttributeName_t name, int64_t most) const {
    std::vector<T> values(static_cast<size_t>(most));
    values.resize(static_cast<size_t>(std::min(read(name, most, values.data()), most)));
    return values;
  }
  // Descriptors made before, which get the values; how many did.
  int64_t get(cudnnBackendAttributeName_t name, std::span<Descriptor> values) const {
    std::vector<DescriptorValue> pointers;
    for (const Descriptor& value : values) pointers.push_back({value.descriptor_});
    return read(name, static_cast<int64_t>(pointers.size()), pointers.data());
  }
  // How many descriptors the attribute has.
  int64_t count(cudnnBackendAttributeName_t name) const {
    return read<DescriptorValue>(name, 0, nullptr);
  }

 private:
  template <class T>
  int64_t read(cudnnBackendAttributeName_t name, int64_t most, T* values) const {
    int64_t count = 0;
    check(cudnn().cudnnBackendGetAttribute(descriptor_, name, attribute_type(values), most, &count,
                                           values),
          "cuDNN attribute");
    return count;
  }

  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

}  // namespace gestalt::cuda
