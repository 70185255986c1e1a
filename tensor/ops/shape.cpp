#include "tensor/ops/shape.h"

#include <numeric>

#include "kernels/error.h"
#include "kernels/table.h"
#include "tensor/autograd.h"
#include "tensor/ops/broadcast.h"

namespace gestalt {
namespace {

// A rearrangement: its gradient is another one, gradient(dy).
template <class Gradient>
class ViewNode : public Node {
 public:
  ViewNode(const char* name, Gradient gradient) : name_(name), gradient_(std::move(gradient)) {}
  const char* name() const override { return name_; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    return {gradient_(grad_outputs[0])};
  }

 private:
  const char* name_;
  Gradient gradient_;
};

template <class Gradient>
Tensor view_of(const char* name, const Tensor& x, const Shape& shape, const Strides& strides,
               int64_t offset, Gradient gradient) {
  Tensor y = x.as_strided(shape, strides, x.storage_offset() + offset);
  if (needs_grad({x})) {
    attach(std::make_shared<ViewNode<Gradient>>(name, std::move(gradient)), {x}, {y});
  }
  return y;
}

// The size that stands for -1, so that the elements fit.
void infer_size(const Tensor& x, Shape& shape) {
  int unknown = -1;
  int64_t known = 1;
  for (int dim = 0; dim < shape.rank(); ++dim) {
    if (shape[dim] == -1) {
      GESTALT_CHECK(unknown < 0, "[reshape] more than one size is -1: {}", shape);
      unknown = dim;
    } else {
      GESTALT_CHECK(shape[dim] >= 0, "[reshape] {} has a negative size", shape);
      known *= shape[dim];
    }
  }
  const Shape asked = shape;
  if (unknown >= 0 && known > 0) shape[unknown] = x.numel() / known;
  GESTALT_CHECK(shape.numel() == x.numel() && (unknown < 0 || known > 0),
                "[reshape] {} does not have the elements of {}", x, asked);
}

class NarrowNode : public Node {
 public:
  NarrowNode(const Tensor& x, int dim, int64_t start)
      : shape_(x.shape()), options_(x.options()), dim_(dim), start_(start) {}
  const char* name() const override { return "narrow"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& dy = grad_outputs[0];
    Tensor dx = Tensor::zeros(shape_, options_);
    narrow(dx, dim_, start_, dy.size(dim_)).copy_(dy);
    return {dx};
  }

 private:
  Shape shape_;
  TensorOptions options_;
  int dim_;
  int64_t start_;
};

class CatNode : public Node {
 public:
  CatNode(std::span<const Tensor> tensors, int dim) : dim_(dim) {
    for (const Tensor& tensor : tensors) sizes_.push_back(tensor.size(dim));
  }
  const char* name() const override { return "cat"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs,
                               const NeedsGrad& needs) override {
    std::vector<Tensor> grads(sizes_.size());
    int64_t start = 0;
    for (size_t i = 0; i < sizes_.size(); ++i) {
      if (needs[i]) grads[i] = narrow(grad_outputs[0], dim_, start, sizes_[i]);
      start += sizes_[i];
    }
    return grads;
  }

 private:
  int dim_;
  std::vector<int64_t> sizes_;
};

class IndexSelectNode : public Node {
 public:
  IndexSelectNode(const Tensor& x, int dim, const Tensor& indices)
      : shape_(x.shape()), format_(x.format()), dim_(dim) {
    save("indices", indices);
  }
  const char* name() const override { return "index_select"; }
  std::vector<Tensor> backward(std::span<const Tensor> grad_outputs, const NeedsGrad&) override {
    const Tensor& dy = grad_outputs[0];
    Tensor dx = Tensor::empty(shape_, {dy.dtype(), dy.device(), format_});
    Context& ctx = context(dy.device());
    ctx.kernels().index_select_backward(ctx, dy.view(), dim_, saved("indices").view(), dx.view());
    return {dx};
  }

 private:
  Shape shape_;
  Format format_;
  int dim_;
};

}  // namespace

Tensor reshape(const Tensor& x, Shape shape) {
  infer_size(x, shape);
  const Tensor source = x.contiguous();  // recorded, where it copies
  return view_of("reshape", source, shape, strides_of(shape, Format::contiguous), 0,
                 [from = x.shape()](const Tensor& dy) { return reshape(dy, from); });
}

Tensor flatten(const Tensor& x, int start_dim) {
  const int start = x.rank() == 0 ? 0 : checked_dim(start_dim, x.rank(), "flatten");
  Shape shape;
  int64_t rest = 1;
  for (int dim = 0; dim < x.rank(); ++dim) {
    if (dim < start) {
      shape.push_back(x.size(dim));
    } else {
      rest *= x.size(dim);
    }
  }
  shape.push_back(rest);
  return reshape(x, shape);
}

Tensor permute(const Tensor& x, std::span<const int> dims) {
  GESTALT_CHECK(static_cast<int>(dims.size()) == x.rank(),
                "[permute] expected {} dims for {}, got {}", x.rank(), x, dims.size());
  Shape shape = x.shape();
  Strides strides = x.strides();
  std::vector<int> inverse(dims.size(), -1);
  for (int i = 0; i < x.rank(); ++i) {
    const int from = checked_dim(dims[i], x.rank(), "permute");
    GESTALT_CHECK(inverse[from] < 0, "[permute] dimension {} comes twice", from);
    inverse[from] = i;
    shape[i] = x.shape()[from];
    strides[i] = x.strides()[from];
  }
  return view_of("permute", x, shape, strides, 0,
                 [inverse](const Tensor& dy) { return permute(dy, inverse); });
}

Tensor permute(const Tensor& x, std::initializer_list<int> dims) {
  return permute(x, std::span(dims.begin(), dims.size()));
}

Tensor transpose(const Tensor& x, int dim0, int dim1) {
  std::vector<int> dims(x.rank());
  std::iota(dims.begin(), dims.end(), 0);
  std::swap(dims[checked_dim(dim0, x.rank(), "transpose")],
            dims[checked_dim(dim1, x.rank(), "transpose")]);
  return permute(x, dims);
}

Tensor narrow(const Tensor& x, int dim, int64_t start, int64_t length) {
  const int d = checked_dim(dim, x.rank(), "narrow");
  GESTALT_CHECK(start >= 0 && length >= 0 && start <= x.size(d) && length <= x.size(d) - start,
                "[narrow] {} elements from {} of dimension {} are outside {}", length, start, d, x);
  Shape shape = x.shape();
  shape[d] = length;
  const int64_t offset = length > 0 ? start * x.strides()[d] : 0;
  Tensor y = x.as_strided(shape, x.strides(), x.storage_offset() + offset);
  if (needs_grad({x})) attach(std::make_shared<NarrowNode>(x, d, start), {x}, {y});
  return y;
}

Tensor select(const Tensor& x, int dim, int64_t index) {
  const int d = checked_dim(dim, x.rank(), "select");
  GESTALT_CHECK(index >= -x.size(d) && index < x.size(d),
                "[select] index {} of dimension {} is outside {}", index, d, x);
  return squeeze(narrow(x, d, index < 0 ? index + x.size(d) : index, 1), d);
}

Tensor squeeze(const Tensor& x, int dim) {
  const int d = checked_dim(dim, x.rank(), "squeeze");
  GESTALT_CHECK(x.size(d) == 1, "[squeeze] dimension {} of {} is not of size 1", d, x);
  Shape shape = x.shape();
  Strides strides = x.strides();
  shape.erase(d);
  strides.erase(d);
  return view_of("squeeze", x, shape, strides, 0,
                 [d](const Tensor& dy) { return unsqueeze(dy, d); });
}

Tensor unsqueeze(const Tensor& x, int dim) {
  const int d = checked_dim(dim, x.rank() + 1, "unsqueeze");
  Shape shape = x.shape();
  Strides strides = x.strides();
  strides.insert(d, d < x.rank() ? x.size(d) * x.strides()[d] : 1);
  shape.insert(d, 1);
  return view_of("unsqueeze", x, shape, strides, 0,
                 [d](const Tensor& dy) { return squeeze(dy, d); });
}

Tensor expand(const Tensor& x, const Shape& asked) {
  Shape shape = asked;
  bool fits = shape.rank() >= x.rank();
  for (int i = 1; fits && i <= shape.rank(); ++i) {
    if (i <= x.rank()) {
      if (shape[-i] == -1) shape[-i] = x.shape()[-i];
      fits = x.shape()[-i] == shape[-i] || x.shape()[-i] == 1;
    }
    fits &= shape[-i] >= 0;
  }
  GESTALT_CHECK(fits, "[expand] {} does not expand to {}", x, asked);
  return view_of("expand", x, shape, broadcast_view(x, shape).strides, 0,
                 [from = x.shape()](const Tensor& dy) { return reduce_to_shape(dy, from); });
}

Tensor cat(std::span<const Tensor> tensors, int dim) {
  GESTALT_CHECK(!tensors.empty(), "[cat] expected at least one tensor");
  const Tensor& first = tensors[0];
  const int d = checked_dim(dim, first.rank(), "cat");
  Shape shape = first.shape();
  shape[d] = 0;
  for (const Tensor& tensor : tensors) {
    check_same_kind("cat", first, tensor);
    Shape others = tensor.shape();
    if (others.rank() == shape.rank()) others[d] = first.size(d);
    GESTALT_CHECK(others == first.shape(), "[cat] {} and {} differ beside dimension {}", first,
                  tensor, d);
    shape[d] += tensor.size(d);
  }
  Tensor y = Tensor::empty(shape, first.options());
  int64_t start = 0;
  for (const Tensor& tensor : tensors) {
    narrow(y, d, start, tensor.size(d)).copy_(tensor.detach());
    start += tensor.size(d);
  }
  if (needs_grad(tensors)) {
    attach(std::make_shared<CatNode>(tensors, d), {tensors.begin(), tensors.end()}, {y});
  }
  return y;
}

Tensor cat(std::initializer_list<Tensor> tensors, int dim) {
  return cat(std::span(tensors.begin(), tensors.size()), dim);
}

Tensor stack(std::span<const Tensor> tensors, int dim) {
  GESTALT_CHECK(!tensors.empty(), "[stack] expected at least one tensor");
  std::vector<Tensor> layers;
  for (const Tensor& tensor : tensors) {
    check_same_kind("stack", tensors[0], tensor);
    GESTALT_CHECK(tensor.shape() == tensors[0].shape(), "[stack] shapes differ: {} and {}",
                  tensors[0], tensor);
    layers.push_back(unsqueeze(tensor, checked_dim(dim, tensor.rank() + 1, "stack")));
  }
  return cat(layers, dim);
}

Tensor stack(std::initializer_list<Tensor> tensors, int dim) {
  return stack(std::span(tensors.begin(), tensors.size()), dim);
}

Tensor index_select(const Tensor& x, int dim, const Tensor& indices) {
  const int d = checked_dim(dim, x.rank(), "index_select");
  GESTALT_CHECK(indices.defined() && indices.dtype() == DType::i64 && indices.rank() == 1 &&
                    indices.device() == x.device(),
                "[index_select] expected indices i64[K] on {}, got {}", x.device(), indices);
  Shape shape = x.shape();
  shape[d] = indices.size(0);
  Tensor y = Tensor::empty(shape, x.options());
  Context& ctx = context(x.device());
  ctx.kernels().index_select_forward(ctx, x.view(), d, indices.view(), y.view());
  if (needs_grad({x})) attach(std::make_shared<IndexSelectNode>(x, d, indices), {x}, {y});
  return y;
}

}  // namespace gestalt
