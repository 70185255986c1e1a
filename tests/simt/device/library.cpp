// What kernels/cuda/library gives to cuDNN and cuBLAS: by the CPU's kernels, in the stream's order.
// Layouts, dtypes and workspaces are those of the files there.

#include <limits>

#include "kernels/cpu/kernels.h"
#include "kernels/cuda/conv2d_bias.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/library/product.h"
#include "kernels/cuda/own_kernels.h"
#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tests/simt/device/runtime.h"
#include "tests/simt/device/stream.h"

namespace gestalt::emulated {
namespace {

View on_host(View view) {
  view.device = Device{};
  return view;
}

void check_dtype(const char* name, DType dtype) {
  GESTALT_CHECK(dtype == DType::f32 || dtype == DType::bf16 || dtype == DType::f16,
                "[{}] no cuda kernel for {}", name, dtype);
}

// A kernel of the CPU, queued. It sees the context as it is now.
template <class Call>
void enqueue(Context& context, const char* name, const Call& call) {
  simt::Stream::of(context).enqueue({name, [call, exact = context.exact()](Context& host) {
                                       host.set_exact(exact);
                                       call(host);
                                     }});
}

// ---- convolution ----

// The workspace of an algorithm of cuDNN's: what it leaves there nobody may read.
void use_workspace(Context& context, const View& w) {
  View scratch;
  scratch.shape = {w.numel() + 1024};
  scratch.strides = strides_of(scratch.shape, Format::contiguous);
  scratch.data = context.workspace(static_cast<size_t>(scratch.numel()) * sizeof(float));
  enqueue(context, "workspace", [scratch](Context& host) {
    cpu::fill(host, std::numeric_limits<double>::quiet_NaN(), scratch);
  });
}

template <class Call>
void convolve(Context& context, const char* name, const View& x, const View& w, const View& y,
              const Call& call) {
  const bool contiguous = x.is_contiguous() && w.is_contiguous() && y.is_contiguous();
  GESTALT_CHECK(
      contiguous || (x.is_channels_last() && w.is_channels_last() && y.is_channels_last()),
      "[{}] input, weight and output must all be contiguous or all channels_last", name);
  check_dtype(name, x.dtype);
  use_workspace(context, w);
  enqueue(context, name, [=, x = on_host(x), w = on_host(w), y = on_host(y)](Context& host) {
    call(host, x, w, y);
  });
}

}  // namespace

void conv2d_forward(Context& context, const View& x, const View& w, const View* bias, const View& y,
                    const Conv2dDesc& desc) {
  if (y.numel() == 0) return;
  Conv2dDesc linear = desc;
  linear.activation = Activation::none;
  linear.topk.reset();
  convolve(context, "conv2d_forward", x, w, y,
           [linear](Context& host, const View& x, const View& w, const View& y) {
             cpu::conv2d_forward(host, x, w, nullptr, y, linear);
           });
  if (desc.topk) {
    relu_topk_forward(context, y, bias, y, *desc.topk);
  } else if (bias != nullptr || desc.activation != Activation::none) {
    add_bias_and_activate(context, bias, desc.activation, y);
  }
}

void conv2d_backward_data(Context& context, const View& dy, const View& w, const View& dx,
                          const Conv2dDesc& desc) {
  if (dx.numel() == 0) return;
  convolve(context, "conv2d_backward_data", dx, w, dy,
           [desc](Context& host, const View& dx, const View& w, const View& dy) {
             cpu::conv2d_backward_data(host, dy, w, dx, desc);
           });
}

void conv2d_backward_weights(Context& context, const View& dy, const View& x, const View& dw,
                             const Conv2dDesc& desc) {
  if (dw.numel() == 0) return;
  if (dy.numel() == 0) {
    fill(context, 0, dw);
    return;
  }
  convolve(context, "conv2d_backward_weights", x, dw, dy,
           [desc](Context& host, const View& x, const View& dw, const View& dy) {
             cpu::conv2d_backward_weights(host, dy, x, dw, desc);
           });
}

// ---- products ----

namespace {

// cuBLAS's own, which its handle allocates.
struct ProductWorkspace {
  void* memory = nullptr;
  Context* context = nullptr;  // outlives its states

  ~ProductWorkspace() {
    if (memory != nullptr) context->runtime().release(*context, memory);
  }
};

void use_product_workspace(Context& context) {
  ProductWorkspace& workspace = context.state<ProductWorkspace>();
  if (workspace.memory != nullptr) return;
  workspace.memory = context.runtime().allocate(context, size_t{1} << 20);
  workspace.context = &context;
}

// BLAS's column-major matrix, or the transpose of one, as a view.
View view_of(const Product::Operand& operand, int64_t batch, int64_t rows, int64_t columns,
             DType dtype) {
  View view;
  view.data = operand.data;
  view.dtype = dtype;
  view.shape = {batch, rows, columns};
  const int64_t leading = operand.leading;
  view.strides = operand.transposed ? Strides{operand.batch_stride, leading, 1}
                                    : Strides{operand.batch_stride, 1, leading};
  return view;
}

void multiply(Context& context, const Product& product) {
  check_dtype("matmul", product.dtype);
  use_product_workspace(context);
  enqueue(context, "matmul", [product](Context& host) {
    const auto& [left, right, y, batch, rows, columns, depth, alpha, beta, dtype] = product;
    cpu::matmul(host, view_of(left, batch, rows, depth, dtype),
                view_of(right, batch, depth, columns, dtype), alpha, beta,
                view_of(y, batch, rows, columns, dtype));
  });
}

}  // namespace

void matmul(Context& context, const View& a, const View& b, double alpha, double beta,
            const View& y) {
  matmul_by(context, a, b, alpha, beta, y,
            [&](const Product& product) { multiply(context, product); });
}

}  // namespace gestalt::emulated

namespace gestalt::simt {
namespace {

KernelTable make_table() {
  KernelTable table;
#define GESTALT_ENTRY(name) table.name.function = emulated::name;
  GESTALT_OWN_CUDA_KERNELS(GESTALT_ENTRY)
  GESTALT_LIBRARY_CUDA_KERNELS(GESTALT_ENTRY)
#undef GESTALT_ENTRY
  return table;
}

}  // namespace

const KernelTable emulated_cuda_kernels = make_table();

}  // namespace gestalt::simt
