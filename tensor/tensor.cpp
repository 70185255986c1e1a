#include "tensor/tensor.h"

#include <algorithm>
#include <optional>

#include "kernels/error.h"
#include "kernels/runtime.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/convert.h"

namespace gestalt {

struct Tensor::Impl {
  std::shared_ptr<Storage> storage;
  int64_t offset = 0;
  Shape shape;
  Strides strides;
  DType dtype = DType::f32;
  std::unique_ptr<AutogradMeta> autograd;
};

namespace {
// What it most often is.
constexpr const char* undefined_hint =
    "(a gradient before backward, or of a tensor that is no leaf?)";
}  // namespace

const Tensor::Impl& Tensor::impl() const {
  GESTALT_CHECK(impl_ != nullptr, "use of an undefined tensor {}", undefined_hint);
  return *impl_;
}

// ---- construction ----

namespace {

// The lowest and the highest element of a view that has some; nothing where they can't be counted.
struct Reach {
  int64_t first, last;
};
std::optional<Reach> reach_of(int64_t offset, const Shape& shape, const Strides& strides) {
  Reach reach{offset, offset};
  int64_t count = 1;
  for (int dim = 0; dim < shape.rank(); ++dim) {
    int64_t way = 0;
    if (__builtin_mul_overflow(count, shape[dim], &count) ||
        __builtin_mul_overflow(shape[dim] - 1, strides[dim], &way)) {
      return {};
    }
    int64_t& end = way < 0 ? reach.first : reach.last;
    if (__builtin_add_overflow(end, way, &end)) return {};
  }
  return reach;
}

// Whether the elements of such a view can be counted and lie within `storage`.
bool is_within(const Storage& storage, int64_t offset, const Shape& shape, const Strides& strides,
               DType dtype) {
  if (shape.rank() != strides.rank()) return false;
  bool is_empty = false;
  for (int64_t size : shape) {
    if (size < 0) return false;
    is_empty |= size == 0;
  }
  if (is_empty) return true;
  const std::optional<Reach> reach = reach_of(offset, shape, strides);
  return reach && reach->first >= 0 &&
         reach->last < static_cast<int64_t>(storage.bytes()) / size_of(dtype);
}

// Bytes of a dense tensor. One without elements has strides all the same, as if no size were 0.
size_t bytes_of(const Shape& shape, DType dtype) {
  int64_t bytes = size_of(dtype);
  bool is_empty = false;
  for (int64_t size : shape) {
    is_empty |= size == 0;
    GESTALT_CHECK(!__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes),
                  "[empty] shape {} has more elements than can be counted", shape);
  }
  return is_empty ? 0 : static_cast<size_t>(bytes);
}

}  // namespace

Tensor Tensor::from_storage(std::shared_ptr<Storage> storage, int64_t offset, const Shape& shape,
                            const Strides& strides, DType dtype) {
  GESTALT_CHECK(is_within(*storage, offset, shape, strides, dtype),
                "a view {}{} with strides {} at element {} reaches outside of its storage of {} "
                "bytes, or has more elements than can be counted",
                dtype, shape, strides, offset, storage->bytes());
  auto impl = std::make_shared<Impl>();
  impl->storage = std::move(storage);
  impl->offset = offset;
  impl->shape = shape;
  impl->strides = strides;
  impl->dtype = dtype;
  return Tensor(std::move(impl));
}

Tensor Tensor::empty(const Shape& shape, const TensorOptions& options) {
  for (int64_t size : shape) {
    GESTALT_CHECK(size >= 0, "[empty] shape {} has a negative size", shape);
  }
  auto storage = std::make_shared<Storage>(options.device, bytes_of(shape, options.dtype));
  return from_storage(std::move(storage), 0, shape, strides_of(shape, options.format),
                      options.dtype);
}

Tensor Tensor::zeros(const Shape& shape, const TensorOptions& options) {
  return full(shape, 0, options);
}

Tensor Tensor::ones(const Shape& shape, const TensorOptions& options) {
  return full(shape, 1, options);
}

Tensor Tensor::full(const Shape& shape, double value, const TensorOptions& options) {
  Tensor tensor = empty(shape, options);
  tensor.fill_(value);
  return tensor;
}

template <class T>
Tensor Tensor::from_vector(const std::vector<T>& values, const Shape& shape,
                           const FromVectorOptions& options) {
  GESTALT_CHECK(static_cast<int64_t>(values.size()) == shape.numel(),
                "[from_vector] {} values for shape {}", values.size(), shape);
  check_not_capturing(context(options.device), "making a tensor of host values");
  Tensor host = empty(shape, {dtype_of<T>, Device{}});
  std::copy(values.begin(), values.end(), host.view().as<T>());
  const Tensor wanted = host.to(options.dtype.value_or(dtype_of<T>));
  return wanted.to(options.device).contiguous(options.format);
}

// ---- properties ----

const Shape& Tensor::shape() const {
  return impl().shape;
}
const Strides& Tensor::strides() const {
  return impl().strides;
}
DType Tensor::dtype() const {
  return impl().dtype;
}
Device Tensor::device() const {
  return impl().storage->device();
}
const std::shared_ptr<Storage>& Tensor::storage() const {
  return impl().storage;
}
int64_t Tensor::storage_offset() const {
  return impl().offset;
}

int64_t Tensor::size(int dim) const {
  return shape()[checked_dim(dim, rank(), "size")];
}

Format Tensor::format() const {
  const Shape& size = shape();
  const Strides& stride = strides();
  // An image of one pixel or channel lies both ways.
  if (rank() != 4 || numel() == 0 || size[1] == 1 || stride[1] != 1 || size[2] * size[3] == 1) {
    return Format::contiguous;
  }
  int64_t within = size[1];  // elements that the next dimension steps over
  for (const int dim : {3, 2, 0}) {
    if (size[dim] == 1) continue;
    if (stride[dim] < within) return Format::contiguous;
    within = size[dim] * stride[dim];
  }
  return Format::channels_last;
}

View Tensor::view() const {
  const Impl& self = impl();
  auto* base = static_cast<std::byte*>(self.storage->data());
  return {.data = base == nullptr ? nullptr : base + self.offset * size_of(self.dtype),
          .dtype = self.dtype,
          .device = self.storage->device(),
          .shape = self.shape,
          .strides = self.strides};
}

template <class T>
T* Tensor::data() const {
  GESTALT_CHECK(dtype() == dtype_of<T>, "[data] tensor is {}, asked for {}", dtype(), dtype_of<T>);
  if (device().is_cpu()) {
    check_not_capturing(context(device()), "the host's access to {} (data<T>())", *this);
  }
  return view().as<T>();
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  check_defined("to_vector", *this);
  check_not_capturing(context(device()), "reading {}", *this);
  const NoGradGuard no_grad;
  const Tensor host = to(Device{}).to(dtype_of<T>).contiguous();
  const T* first = host.data<T>();
  return std::vector<T>(first, first + host.numel());
}

double Tensor::item() const {
  check_defined("item", *this);
  GESTALT_CHECK(numel() == 1, "[item] needs one element, tensor is {}", *this);
  return to_vector<double>()[0];
}

// ---- copies and conversions ----

Tensor Tensor::clone() const {
  return gestalt::clone(*this);
}
Tensor Tensor::contiguous(Format format) const {
  return gestalt::contiguous(*this, format);
}
Tensor Tensor::dense() const {
  return is_dense() ? *this : contiguous(format());
}
Tensor Tensor::to(DType dtype) const {
  return gestalt::convert(*this, dtype);
}
Tensor Tensor::to(Device device) const {
  return gestalt::transfer(*this, device);
}

// ---- in place ----

const Tensor& Tensor::fill_(double value) const {
  check_in_place("fill_", *this);
  Context& ctx = context(device());
  ctx.kernels().fill(ctx, value, view());
  bump_version();
  return *this;
}

const Tensor& Tensor::copy_(const Tensor& source) const {
  check_in_place("copy_", *this);
  GESTALT_CHECK(!source.requires_grad() || !grad_enabled(),
                "[copy_] the source {} is followed by autograd, and a copy in place is not "
                "differentiable; detach() it, or use cat",
                source);
  GESTALT_CHECK(shape() == source.shape(), "[copy_] shapes differ: {} from {}", *this, source);
  const NoGradGuard no_grad;
  const Tensor here = apart_from(source, *this).to(device());
  Context& ctx = context(device());
  ctx.kernels().copy(ctx, here.view(), view());
  bump_version();
  return *this;
}

void Tensor::set_data(const Tensor& data) const {
  GESTALT_CHECK(is_leaf(), "[set_data] only leaves can be given other data, {} is none", *this);
  GESTALT_CHECK(shape() == data.shape(), "[set_data] shapes differ: {} from {}", *this, data);
  GESTALT_CHECK(!requires_grad() || is_floating(data.dtype()),
                "[set_data] {} requires a gradient, so {} can't be its data", *this, data);
  const Impl& other = data.impl();
  impl_->storage = other.storage;
  impl_->offset = other.offset;
  impl_->strides = other.strides;
  impl_->dtype = other.dtype;
  if (const Tensor before = grad(); before.defined()) {
    const NoGradGuard no_grad;
    ensure_autograd().grad = before.to(device()).to(dtype());
  }
}

Tensor Tensor::as_strided(const Shape& shape, const Strides& strides, int64_t offset) const {
  return from_storage(storage(), offset, shape, strides, dtype());
}

Tensor apart_from(const Tensor& source, const Tensor& target) {
  if (source.storage() != target.storage() || source.numel() == 0 || target.numel() == 0) {
    return source;
  }
  if (source.dtype() == target.dtype() && source.storage_offset() == target.storage_offset() &&
      source.shape() == target.shape() && source.strides() == target.strides()) {
    return source;
  }
  const auto bytes = [](const Tensor& x) {  // [first, last)
    const Reach reach = *reach_of(x.storage_offset(), x.shape(), x.strides());
    const int64_t size = size_of(x.dtype());
    return Reach{reach.first * size, (reach.last + 1) * size};
  };
  const Reach a = bytes(source), b = bytes(target);
  return a.last <= b.first || b.last <= a.first ? source : source.clone();
}

// ---- gradients ----

AutogradMeta* Tensor::autograd() const {
  return impl_ ? impl_->autograd.get() : nullptr;
}

AutogradMeta& Tensor::ensure_autograd() const {
  impl();
  if (!impl_->autograd) impl_->autograd = std::make_unique<AutogradMeta>();
  return *impl_->autograd;
}

bool Tensor::requires_grad() const {
  const AutogradMeta* meta = autograd();
  return meta != nullptr && (meta->requires_grad || meta->node != nullptr);
}

const Tensor& Tensor::set_requires_grad(bool requires_grad) const {
  GESTALT_CHECK(is_leaf(), "[set_requires_grad] only leaves can be changed; use detach()");
  GESTALT_CHECK(!requires_grad || is_floating(dtype()),
                "[set_requires_grad] needs a floating tensor, this is {}", *this);
  if (requires_grad || autograd() != nullptr) ensure_autograd().requires_grad = requires_grad;
  return *this;
}

bool Tensor::is_leaf() const {
  const AutogradMeta* meta = autograd();
  return meta == nullptr || meta->node == nullptr;
}

Tensor Tensor::grad() const {
  const AutogradMeta* meta = autograd();
  return meta == nullptr ? Tensor() : meta->grad;
}

void Tensor::set_grad(Tensor grad) const {
  GESTALT_CHECK(!grad.defined() || (grad.shape() == shape() && grad.dtype() == dtype() &&
                                    grad.device() == device()),
                "[set_grad] the gradient of {} on {} must be like it, got {} on {}", *this,
                device(), grad, grad.device());
  if (grad.defined() && !grad.is_dense()) {
    const NoGradGuard no_grad;
    grad = grad.clone();
  }
  if (grad.defined() || autograd() != nullptr) ensure_autograd().grad = std::move(grad);
}

Tensor Tensor::detach() const {
  return from_storage(storage(), storage_offset(), shape(), strides(), dtype());
}

void Tensor::backward(const Tensor& grad) const {
  backward(grad, BackwardOptions{});
}

void Tensor::backward(const Tensor& grad, const BackwardOptions& options) const {
  Tensor seed = grad;
  if (!seed.defined()) {
    GESTALT_CHECK(numel() == 1, "[backward] a gradient is needed for {}, which is no single number",
                  *this);
    seed = ones(shape(), this->options());
  }
  gestalt::backward(std::span(this, 1), std::span(&seed, 1), options);
}

void Tensor::register_hook(Hook hook) const {
  GESTALT_CHECK(requires_grad(), "[register_hook] {} does not require a gradient", *this);
  AutogradMeta& meta = ensure_autograd();
  if (meta.node) {
    meta.node->output_hooks_[meta.output_index].push_back(std::move(hook));
  } else {
    meta.hooks.push_back(std::move(hook));
  }
}

uint64_t Tensor::version() const {
  return impl().storage->version();
}
void Tensor::bump_version() const {
  impl().storage->bump_version();
}

bool Tensor::is_sole_owner() const {
  return impl_ != nullptr && impl_.use_count() == 1 && impl_->storage.use_count() == 1;
}

std::string to_string(const Tensor& tensor) {
  return tensor.defined() ? to_string(tensor.view()) : "undefined";
}

void check_defined(const char* op, const Tensor& x) {
  GESTALT_CHECK(x.defined(), "[{}] the input is an undefined tensor {}", op, undefined_hint);
}

void check_same_kind(const char* op, const Tensor& a, const Tensor& b) {
  GESTALT_CHECK(a.defined() && b.defined(), "[{}] an input is an undefined tensor: {} and {}", op,
                a, b);
  GESTALT_CHECK(a.device() == b.device(),
                "[{}] inputs are on different devices: {} on {}, {} on {}", op, a, a.device(), b,
                b.device());
  GESTALT_CHECK(a.dtype() == b.dtype(), "[{}] inputs have different dtypes: {} and {}", op, a, b);
}

#define GESTALT_INSTANTIATE(T)                                             \
  template Tensor Tensor::from_vector(const std::vector<T>&, const Shape&, \
                                      const FromVectorOptions&);           \
  template T* Tensor::data<T>() const;                                     \
  template std::vector<T> Tensor::to_vector() const;
GESTALT_INSTANTIATE(float)
GESTALT_INSTANTIATE(bfloat16)
GESTALT_INSTANTIATE(float16)
GESTALT_INSTANTIATE(double)
GESTALT_INSTANTIATE(int64_t)
GESTALT_INSTANTIATE(uint8_t)
#undef GESTALT_INSTANTIATE

}  // namespace gestalt
