#include "bench/gpu/cases.h"
#include "kernels/runtime.h"
#include "kernels/table.h"
#include "nn/adain.h"
#include "nn/batch_norm.h"
#include "nn/topk.h"
#include "tensor/autograd.h"
#include "tensor/random.h"

namespace gestalt::bench {
namespace {

double bytes_of(const Case& c) {
  return static_cast<double>(c.shape.numel() * size_of(c.dtype));
}

// [N,128,H,W] of about large_numel() elements in rows of `height` x `width`.
Shape large_shape(Device device, int64_t height, int64_t width) {
  const int64_t channels = device.is_cuda() ? 128 : 8;
  const int64_t images = large_numel(device) / (channels * height * width);
  return {std::max<int64_t>(images, 1), channels, height, width};
}

Case copy_case(Device device) {
  Case c{.operation = "copy", .shape = large_shape(device, 112, 112), .prepare = {}};
  c.bytes = 2 * bytes_of(c);
  c.prepare = [c, device] {
    const Tensor x = random_input(c, device);
    const Tensor y = Tensor::empty(c.shape, x.options());
    return [x, y, bytes = x.numel() * size_of(c.dtype)] {
      Context& ctx = context(x.device());
      ctx.runtime().copy(ctx, y.view().data, x.view().data, static_cast<size_t>(bytes),
                         CopyKind::device_to_device);
    };
  };
  return c;
}

Case matmul_case(Device device, DType dtype) {
  const int64_t n = device.is_cuda() ? 8192 : 256;
  Case c{.operation = "matmul", .dtype = dtype, .shape = {n, n, n}, .prepare = {}};
  c.bytes = 3.0 * static_cast<double>(n * n * size_of(dtype));
  c.operations = 2.0 * static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(n);
  c.prepare = [n, dtype, device] {
    const TensorOptions options{.dtype = dtype, .device = device};
    const Tensor a = Generator(1).normal({1, n, n}, 0, 1, options);
    const Tensor b = Generator(2).normal({1, n, n}, 0, 1, options);
    const Tensor y = Tensor::empty({1, n, n}, options);
    return [a, b, y] {
      Context& ctx = context(a.device());
      ctx.kernels().matmul(ctx, a.view(), b.view(), 1, 0, y.view());
    };
  };
  return c;
}

TopKDesc topk_desc(const Case& c) {
  return {.k = nn::topk_count(c.fraction, c.shape[2], c.shape[3])};
}

Tensor mask_of(const Tensor& x) {
  const int64_t length = x.size(2) * x.size(3);
  return Tensor::empty({x.size(0) * x.size(1), (length + 31) / 32 * 4},
                       {.dtype = DType::u8, .device = x.device()});
}

// run(context, x, y, desc)
void prepare_topk(Case& c, Device device, auto run) {
  c.bytes = 2 * bytes_of(c);
  c.prepare = [c, device, run] {
    const Tensor x = random_input(c, device);
    const Tensor y = Tensor::empty(c.shape, x.options());
    return [x, y, run, desc = topk_desc(c)] { run(context(x.device()), x.view(), y.view(), desc); };
  };
}

void topk_forward(Context& context, const View& x, const View& y, const TopKDesc& desc) {
  context.kernels().topk_forward(context, x, y, nullptr, desc);
}

void relu_topk_forward(Context& context, const View& x, const View& y, const TopKDesc& desc) {
  context.kernels().relu_topk_forward(context, x, nullptr, y, desc);
}

void prepare_topk_backward(Case& c, Device device) {
  c.bytes = 2 * bytes_of(c) + static_cast<double>(c.shape.numel()) / 8;
  c.prepare = [c, device] {
    const Tensor x = random_input(c, device), mask = mask_of(x);
    const Tensor y = Tensor::empty(c.shape, x.options());
    const TopKDesc desc = topk_desc(c);
    Context& ctx = context(device);
    const View mask_view = mask.view();
    ctx.kernels().topk_forward(ctx, x.view(), y.view(), &mask_view, desc);
    return [x, y, mask, desc] {
      Context& ctx = context(x.device());
      ctx.kernels().topk_backward(ctx, x.view(), mask.view(), y.view(), desc);
    };
  };
}

// Batch norm by the batch's statistics, ReLU and Top-K, as one layer.
void prepare_batch_norm_relu_topk(Case& c, Device device) {
  c.bytes = 2 * bytes_of(c);
  c.prepare = [c, device] {
    const Tensor x = random_input(c, device);
    const TensorOptions statistics{.device = device};
    const Tensor ones = Tensor::ones({c.shape[1]}, statistics);
    const Tensor zeros = Tensor::zeros({c.shape[1]}, statistics);
    BatchNormDesc desc;
    desc.activation = Activation::relu;
    desc.topk = topk_desc(c);
    return [x, ones, zeros, desc] {
      const NoGradGuard no_grad;
      nn::batch_norm_training(x, ones, zeros, {}, {}, desc);
    };
  };
}

void prepare_gram(Case& c, Device device, bool backward) {
  const int64_t batch = c.shape[0], rows = c.shape[1], length = c.shape[2] * c.shape[3];
  const auto squares = static_cast<double>(batch * rows * rows);
  // Forward the symmetric result's upper triangle alone is computed; backward a full product.
  const auto columns = static_cast<double>(backward ? 2 * rows : rows + 1);
  c.operations = static_cast<double>(batch * rows * length) * columns;
  c.bytes = bytes_of(c) * (backward ? 2 : 1) + squares * size_of(c.dtype);
  c.prepare = [c, device, backward, batch, rows, length] {
    const TensorOptions options{.dtype = c.dtype, .device = device};
    const Tensor x = Generator(1).normal({batch, rows, length}, 0, 1, options);
    const Tensor y = Generator(2).normal({batch, rows, rows}, 0, 1, options);
    const Tensor dx = Tensor::empty({batch, rows, length}, options);
    return [x, y, dx, backward] {
      Context& ctx = context(x.device());
      if (backward) {
        ctx.kernels().gram_backward(ctx, y.view(), x.view(), 1, dx.view());
      } else {
        ctx.kernels().gram_forward(ctx, x.view(), 1, y.view());
      }
    };
  };
}

// Of content and style, both of the case's shape.
void prepare_adain(Case& c, Device device, bool backward) {
  c.bytes = 3 * bytes_of(c);  // content, style, result; or dy, content, dx
  c.prepare = [c, device, backward]() -> std::function<void()> {
    Tensor content = random_input(c, device);
    const Tensor style = random_input(c, device, 2);
    if (!backward) {
      return [content, style] {
        const NoGradGuard no_grad;
        nn::adain(content, style);
      };
    }
    content.set_requires_grad(true);
    const Tensor y = nn::adain(content, nn::channel_stats(style));
    return [content, y, style] {
      gradients(std::span(&y, 1), std::span(&style, 1), std::span(&content, 1),
                {.retain_graph = true});
    };
  };
}

}  // namespace

std::vector<Case> limit_cases(Device device) {
  return {copy_case(device), matmul_case(device, DType::bf16), matmul_case(device, DType::f32)};
}

std::vector<Case> topk_cases(Device device) {
  // L = 49, 196, 784, 3136, 12544, 50176, 65536, 262144
  std::vector<int64_t> sides = {7, 14, 28, 56, 112, 224, 256, 512};
  std::vector<Case> cases;
  for (const int64_t side : sides) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const Format format : {Format::contiguous, Format::channels_last}) {
        for (const double fraction : {0.05, 0.1, 0.2}) {
          // f16 is bf16 with other bits, and fractions differ little: one of them, once.
          if (dtype == DType::f16 && (fraction != 0.1 || side != 56)) continue;
          if (format == Format::channels_last && fraction != 0.1) continue;
          Case c{.operation = "topk",
                 .dtype = dtype,
                 .format = format,
                 .shape = large_shape(device, side, side),
                 .fraction = fraction,
                 .prepare = {}};
          prepare_topk(c, device, topk_forward);
          cases.push_back(c);
          if (fraction != 0.1) continue;
          c.operation = "topk_backward";
          prepare_topk_backward(c, device);
          cases.push_back(c);
          if (side < 28 || side > 112) continue;
          c.operation = "relu_topk";
          prepare_topk(c, device, relu_topk_forward);
          cases.push_back(c);
          c.operation = "batch_norm_relu_topk";
          prepare_batch_norm_relu_topk(c, device);
          cases.push_back(c);
        }
      }
    }
  }
  return cases;
}

std::vector<Case> statistics_cases(Device device) {
  std::vector<Case> cases;
  // VGG-19's taps at 256x256.
  const int64_t shrink = device.is_cuda() ? 1 : 8;
  for (const int64_t images : {1, 16}) {
    for (const auto& [channels, side] : std::vector<std::pair<int64_t, int64_t>>{
             {64, 256}, {64, 128}, {128, 64}, {256, 32}, {512, 16}}) {
      const int64_t size = std::max<int64_t>(side / shrink, 2);
      for (const bool backward : {false, true}) {
        Case c{.operation = backward ? "gram_backward" : "gram",
               .shape = {images, channels, size, size},
               .prepare = {}};
        prepare_gram(c, device, backward);
        cases.push_back(c);
      }
    }
  }
  for (const DType dtype : {DType::f32, DType::bf16}) {
    for (const bool backward : {false, true}) {
      Case c{.operation = backward ? "adain_backward" : "adain",
             .dtype = dtype,
             .shape = device.is_cuda() ? Shape{8, 512, 64, 64} : Shape{2, 32, 16, 16},
             .prepare = {}};
      prepare_adain(c, device, backward);
      cases.push_back(c);
    }
  }
  return cases;
}

std::string Case::name() const {
  std::string name = gestalt::format("{} {} {}", operation, to_string(dtype), to_string(shape));
  const bool contiguous = this->format == Format::contiguous;
  if (operation.find("topk") != std::string::npos || window.kernel > 0 || !contiguous)
    name += contiguous ? " NCHW" : " NHWC";
  if (window.kernel > 1 || window.outputs != (window.kernel > 0 ? shape[1] : 0)) {
    name += gestalt::format(" to {}, {}x{} / {}", window.outputs, window.kernel, window.kernel,
                            window.stride);
  }
  return fraction > 0 ? name + gestalt::format(" {} %", 100 * fraction) : name;
}

int64_t large_numel(Device device) {
  return device.is_cuda() ? int64_t{32} * 128 * 112 * 112 : int64_t{8} * 112 * 112;
}

Tensor random_input(const Case& c, Device device, uint64_t seed) {
  return Generator(seed).normal(c.shape, 0, 1,
                                {.dtype = c.dtype, .device = device, .format = c.format});
}

}  // namespace gestalt::bench
