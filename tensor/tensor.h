#pragma once

// Tensor: a shared handle to an n-dimensional array on a device, with optional gradient metadata.
//
// Copying a Tensor copies the handle. Logical image shapes are N, C, H, W; channels-last is a
// matter of strides. Ops are free functions (tensor/ops/, nn/); the members here are the basics.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/types.h"
#include "tensor/context.h"
#include "tensor/storage.h"

namespace gestalt {

struct AutogradMeta;
struct BackwardOptions;

struct TensorOptions {
  DType dtype = DType::f32;
  Device device = default_device();
  Format format = Format::contiguous;
  bool operator==(const TensorOptions&) const = default;
};

// Of a tensor made from host values, whose dtype is theirs where none is asked for.
struct FromVectorOptions {
  std::optional<DType> dtype = {};
  Device device = default_device();
  Format format = Format::contiguous;
};

class Tensor {
 public:
  Tensor() = default;  // undefined

  static Tensor empty(const Shape& shape, const TensorOptions& options = {});  // uninitialized
  static Tensor zeros(const Shape& shape, const TensorOptions& options = {});
  static Tensor ones(const Shape& shape, const TensorOptions& options = {});
  static Tensor full(const Shape& shape, double value, const TensorOptions& options = {});
  // Values in logical (row-major) order; their number must be that of the shape. The dtype is T's,
  // or the one asked for.
  template <class T>
  static Tensor from_vector(const std::vector<T>& values, const Shape& shape,
                            const FromVectorOptions& options = {});
  // A view of memory at `offset` elements into `storage`; throws Error where it would reach
  // outside.
  static Tensor from_storage(std::shared_ptr<Storage> storage, int64_t offset, const Shape& shape,
                             const Strides& strides, DType dtype);

  bool defined() const { return impl_ != nullptr; }
  explicit operator bool() const { return defined(); }

  const Shape& shape() const;
  const Strides& strides() const;
  int64_t size(int dim) const;  // negative dimensions count from the end
  int rank() const { return shape().rank(); }
  int64_t numel() const { return shape().numel(); }
  DType dtype() const;
  Device device() const;
  // channels_last where the strides say so and not contiguous too, also of a part of such images;
  // else contiguous.
  Format format() const;
  TensorOptions options() const { return {dtype(), device(), format()}; }
  bool is_format(Format format) const { return view().is_format(format); }
  bool is_contiguous() const { return is_format(Format::contiguous); }
  // Without gaps, in one of the two formats.
  bool is_dense() const { return view().is_contiguous() || view().is_channels_last(); }
  const std::shared_ptr<Storage>& storage() const;
  int64_t storage_offset() const;  // in elements

  View view() const;
  // The first element, for host code (on the CPU) and kernels of one's own; T must be the dtype's
  // type. On the CPU an Error while a step is captured (tensor/graph.h): what the host does with
  // the memory then is done once, on no values, and never replayed.
  template <class T>
  T* data() const;
  // Copied to the CPU in logical order, converted to T. Waits for the device.
  template <class T>
  std::vector<T> to_vector() const;
  double item() const;  // of a tensor with one element

  // ---- copies and conversions; differentiable ----
  Tensor clone() const;                                         // dense, of this format
  Tensor contiguous(Format format = Format::contiguous) const;  // itself if it is so already
  Tensor dense() const;  // itself if dense, else a copy of this format
  Tensor to(DType dtype) const;
  Tensor to(Device device) const;

  // ---- in place; not differentiable, so not allowed on a tensor that autograd follows ----
  // They change what all handles share, so a const handle has them too; it can't be assigned
  // another tensor.
  const Tensor& fill_(double value) const;
  const Tensor& zero_() const { return fill_(0); }
  // Broadcasts nothing; converts dtype and device. Not from a source that autograd follows, whose
  // gradient would be lost: detach() it, or use cat. The source may share memory with this.
  const Tensor& copy_(const Tensor& source) const;

  // Every handle of this leaf has the memory, dtype, device and strides of `data` from here on,
  // whose shape is the same; its gradient is converted alike. Views made before keep the old
  // memory.
  void set_data(const Tensor& data) const;

  // ---- views without gradient (differentiable views are in tensor/ops/shape.h) ----
  // Throws Error where the view would reach outside of the storage.
  Tensor as_strided(const Shape& shape, const Strides& strides, int64_t storage_offset) const;

  // ---- gradients ----
  bool requires_grad() const;
  const Tensor& set_requires_grad(bool requires_grad) const;  // leaves only
  bool is_leaf() const;
  Tensor grad() const;  // undefined before backward
  // Of this shape, dtype and device, or undefined. A copy is kept of one that is not dense, such as
  // an expanded one, which backward passes could not add to.
  void set_grad(Tensor grad) const;
  Tensor detach() const;  // the same memory, not followed by autograd
  // Accumulates gradients into the leaves. `grad` defaults to 1 for a tensor of one element.
  void backward(const Tensor& grad = {}) const;
  void backward(const Tensor& grad, const BackwardOptions& options) const;
  // Called with the whole gradient of this tensor during backward; what it returns, if defined,
  // replaces it. Hooks run in the order they were added.
  using Hook = std::function<Tensor(const Tensor& grad)>;
  void register_hook(Hook hook) const;

  // ---- for ops and autograd ----
  uint64_t version() const;
  void bump_version() const;  // every in-place change must call it
  // No other tensor sees this memory, so it may be reused.
  bool is_sole_owner() const;
  AutogradMeta* autograd() const;  // null where autograd never looked
  AutogradMeta& ensure_autograd() const;
  bool is_same(const Tensor& other) const { return impl_ == other.impl_; }

 private:
  struct Impl;
  explicit Tensor(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  const Impl& impl() const;

  std::shared_ptr<Impl> impl_;
};

std::string to_string(const Tensor& tensor);  // "f32[1,3,8,8]", "undefined"

// What an op that changes `target` in place may read in place of `source`: a copy where both share
// memory and not element by element, else `source` itself.
Tensor apart_from(const Tensor& source, const Tensor& target);

// The check of an op's input: "[sum] the input is an undefined tensor (...)".
void check_defined(const char* op, const Tensor& x);
// The check of every op with several inputs: defined, of one device and dtype.
void check_same_kind(const char* op, const Tensor& a, const Tensor& b);

}  // namespace gestalt
