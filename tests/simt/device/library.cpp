// What kernels/cuda/library gives to cuDNN and cuBLAS: by the CPU's kernels, in the stream's order.
// Layouts, dtypes and workspaces are those of the files there.

#include <limits>
#include <map>
#include <span>

#include "kernels/cpu/kernels.h"
#include "kernels/cuda/kernels.h"
#include "kernels/cuda/library/convolution.h"
#include "kernels/cuda/library/product.h"
#include "kernels/cuda/own_kernels.h"
#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tests/simt/device/runtime.h"
#include "tests/simt/device/stream.h"
#ifdef GESTALT_WITH_CUDA
#include "tests/cudnn/planned_convolution.h"
#endif

namespace gestalt::emulated {
namespace {

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

void convolve(Context& host, const cuda::Conv2dProblem& problem, const cuda::Conv2dArrays& arrays) {
  const auto view = [&](void* data, std::span<const int64_t> sizes) {
    View view;
    view.data = data;
    view.dtype = problem.dtype;
    view.shape = Shape(sizes);
    view.strides = strides_of(view.shape, problem.format);
    return view;
  };
  const View x = view(arrays.x, problem.x), w = view(arrays.w, problem.w);
  const View y = view(arrays.y, problem.y);
  const Conv2dDesc desc{.stride = problem.stride,
                        .padding = problem.padding,
                        .dilation = problem.dilation,
                        .groups = problem.x[1] / problem.w[1]};
  GESTALT_CHECK(!problem.accumulates, "the emulated device has no arrays of 2 GiB");
  switch (problem.direction) {
    case cuda::Conv2dDirection::forward:
      cpu::conv2d_forward(host, x, w, nullptr, y, desc);
      break;
    case cuda::Conv2dDirection::backward_data:
      cpu::conv2d_backward_data(host, y, w, x, desc);
      break;
    case cuda::Conv2dDirection::backward_weights:
      cpu::conv2d_backward_weights(host, y, x, w, desc);
      break;
  }
}

// Of cuDNN's plan for an H100, where cuDNN can be asked for one; else a guess.
struct Workspaces {
  std::map<cuda::Conv2dProblem, size_t> bytes;

  size_t bytes_of(const cuda::Conv2dProblem& problem) {
    const auto found = bytes.find(problem);
    if (found != bytes.end()) return found->second;
    return bytes.emplace(problem, ask(problem)).first->second;
  }

 private:
  static size_t ask([[maybe_unused]] const cuda::Conv2dProblem& problem) {
#ifdef GESTALT_WITH_CUDA
    static const bool plans = cuda::why_nothing_is_planned().empty();
    if (plans) {
      const auto plan = cuda::plan_convolution(cuda::PlannedDevice::h100, problem);
      GESTALT_CHECK(plan, "[{}] cuDNN has no plan ({})", name_of(problem.direction),
                    to_string(problem));
      return plan->workspace_bytes;
    }
#endif
    return 4096;
  }
};

// What a plan leaves in its workspace nobody may read. The rest of a large one changes nothing.
void use_workspace(Context& context, size_t bytes) {
  if (bytes == 0) return;
  constexpr size_t most = size_t{1} << 20;
  View scratch;
  scratch.shape = {static_cast<int64_t>(std::min(bytes, most) / sizeof(float))};
  scratch.strides = strides_of(scratch.shape, Format::contiguous);
  scratch.data = context.workspace(std::min(bytes, most));
  enqueue(context, "workspace", [scratch](Context& host) {
    cpu::fill(host, std::numeric_limits<double>::quiet_NaN(), scratch);
  });
}

void enqueue_convolution(Context& context, const cuda::Conv2dProblem& problem,
                         const cuda::Conv2dArrays& arrays) {
  use_workspace(context, context.state<Workspaces>().bytes_of(problem));
  enqueue(context, name_of(problem.direction),
          [problem, arrays](Context& host) { convolve(host, problem, arrays); });
}

}  // namespace

void conv2d_forward(Context& context, const View& x, const View& w, const View* bias, const View& y,
                    const Conv2dDesc& desc) {
  conv2d_forward_by(enqueue_convolution, context, x, w, bias, y, desc);
}

void conv2d_backward_data(Context& context, const View& dy, const View& w, const View& dx,
                          const Conv2dDesc& desc) {
  conv2d_backward_data_by(enqueue_convolution, context, dy, w, dx, desc);
}

void conv2d_backward_weights(Context& context, const View& dy, const View& x, const View& dw,
                             const Conv2dDesc& desc) {
  conv2d_backward_weights_by(enqueue_convolution, context, dy, x, dw, desc);
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
