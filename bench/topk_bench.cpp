// Top-K, its fused forms, Gram matrices and channel statistics on the CPU.
//   bench/topk_bench            all cores unless OMP_NUM_THREADS says otherwise
//   bench/pytorch/topk.py       the same work in PyTorch, and the ratio
// GB/s counts one read and one write of the tensor, whatever a case really moves; `copy` is the
// machine's own limit for that.

#include <benchmark/benchmark.h>
#include <functional>
#include <random>

#include "kernels/table.h"
#include "nn/adain.h"
#include "nn/batch_norm.h"
#include "nn/topk.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/ops/unary.h"

namespace gestalt {
namespace {

struct Data {
  Shape shape;
  DType dtype = DType::f32;
  Format format = Format::contiguous;
};

Tensor gaussian(const Data& data) {
  std::mt19937_64 engine(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(data.shape.numel()));
  for (float& value : values) value = normal(engine);
  return Tensor::from_vector(values, data.shape).to(data.dtype).contiguous(data.format);
}

void report(benchmark::State& state, const Tensor& x) {
  const double bytes = 2.0 * static_cast<double>(x.numel() * size_of(x.dtype()));
  state.counters["GB/s"] =
      benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

using Op = std::function<Tensor(const Tensor& x)>;

void forward(benchmark::State& state, const Data& data, const Op& op) {
  const NoGradGuard no_grad;
  const Tensor x = gaussian(data);
  for (auto _ : state) benchmark::DoNotOptimize(op(x));
  report(state, x);
}

void backward(benchmark::State& state, const Data& data, const Op& op) {
  const Tensor x = gaussian(data).set_requires_grad(true);
  const Tensor y = op(x), dy = gaussian(data);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        gradients(std::span(&y, 1), std::span(&dy, 1), std::span(&x, 1), {.retain_graph = true}));
  }
  report(state, x);
}

void add(const std::string& name, const std::function<void(benchmark::State&)>& function) {
  benchmark::RegisterBenchmark(name.c_str(), function)->UseRealTime();
}

std::string suffix_of(const Data& data) {
  return format("{}{}/{}", data.dtype, data.shape,
                data.format == Format::contiguous ? "nchw" : "nhwc");
}

void add_copies(const Data& data) {
  add("copy/" + suffix_of(data), [=](benchmark::State& state) {
    const Tensor x = gaussian(data), y = Tensor::empty(data.shape, x.options());
    Context& ctx = context({});
    for (auto _ : state) ctx.kernels().multiply_scalar(ctx, x.view(), 1.5, y.view());
    report(state, x);
  });
}

Op batch_norm(const Data& data, bool training, const BatchNormDesc& desc) {
  const Shape channels{data.shape[1]};
  const Tensor ones = Tensor::ones(channels), zeros = Tensor::zeros(channels);
  return [=](const Tensor& x) {
    return training ? nn::batch_norm_training(x, ones, zeros, {}, {}, desc)
                    : nn::batch_norm_inference(x, ones, zeros, zeros, ones, desc);
  };
}

void add_topk(const Data& data, double fraction) {
  const std::string suffix = suffix_of(data) + format("/{}", fraction);
  const TopKDesc desc{.k = nn::topk_count(fraction, data.shape[2], data.shape[3])};
  const auto both = [&](const std::string& name, const Op& op) {
    add(name + "/" + suffix, [=](benchmark::State& state) { forward(state, data, op); });
    add(name + "_backward/" + suffix, [=](benchmark::State& state) { backward(state, data, op); });
  };
  both("topk", [desc](const Tensor& x) { return nn::topk(x, desc); });
  both("relu_topk", [desc](const Tensor& x) { return nn::relu_topk(x, desc); });
  if (fraction != 0.1) return;
  const Tensor bias = Tensor::zeros({data.shape[1]}, {.dtype = data.dtype});
  both("bias_relu_topk", [=](const Tensor& x) { return nn::relu_topk(x, desc, bias); });
  const BatchNormDesc fused{.activation = Activation::relu, .topk = desc};
  for (const bool training : {false, true}) {
    const std::string name = training ? "batch_norm_training" : "batch_norm_inference";
    both(name + "_relu_topk", batch_norm(data, training, fused));
    both(name, batch_norm(data, training, {}));
  }
  both("relu", [](const Tensor& x) { return relu(x); });
}

void gram(benchmark::State& state, const Shape& shape, bool backward) {
  const int64_t rows = shape[1], length = shape[2] * shape[3];
  const Tensor x = gaussian({{shape[0], rows, length}});
  const Tensor dy = gaussian({{shape[0], rows, rows}});
  const Tensor y = Tensor::empty(dy.shape()), dx = Tensor::empty(x.shape());
  Context& ctx = context({});
  for (auto _ : state) {
    if (backward) {
      ctx.kernels().gram_backward(ctx, dy.view(), x.view(), 1.0, dx.view());
    } else {
      ctx.kernels().gram_forward(ctx, x.view(), 1.0, y.view());
    }
  }
  // As a full product counts; the forward pass computes half of it.
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(shape[0] * rows * rows * length),
                         benchmark::Counter::kIsIterationInvariantRate);
}

void add_adain(const Data& data) {
  const Tensor style = gaussian(data);
  const Op op = [=](const Tensor& x) { return nn::adain(x, style); };
  add("adain/" + suffix_of(data), [=](benchmark::State& state) { forward(state, data, op); });
  add("adain_backward/" + suffix_of(data),
      [=](benchmark::State& state) { backward(state, data, op); });
}

void add_all() {
  for (const Shape& shape : {Shape{32, 2048, 7, 7}, Shape{32, 1024, 14, 14}, Shape{16, 512, 28, 28},
                             Shape{16, 128, 56, 56}, Shape{8, 64, 112, 112}, Shape{8, 16, 224, 224},
                             Shape{8, 256, 32, 32}, Shape{8, 128, 112, 112}}) {
    for (const DType dtype : {DType::f32, DType::bf16, DType::f16}) {
      for (const Format format : {Format::contiguous, Format::channels_last}) {
        add_copies({shape, dtype, format});
        for (const double fraction : {0.05, 0.1, 0.2}) add_topk({shape, dtype, format}, fraction);
      }
    }
  }
  for (const Shape& shape : {Shape{1, 64, 256, 256}, Shape{1, 64, 128, 128}, Shape{1, 128, 64, 64},
                             Shape{1, 256, 32, 32}, Shape{1, 512, 16, 16}, Shape{8, 128, 64, 64}}) {
    add("gram/" + to_string(shape), [=](auto& state) { gram(state, shape, false); });
    add("gram_backward/" + to_string(shape), [=](auto& state) { gram(state, shape, true); });
  }
  for (const Format format : {Format::contiguous, Format::channels_last}) {
    add_adain({{8, 512, 32, 32}, DType::f32, format});
    add_adain({{2, 64, 256, 256}, DType::f32, format});
  }
}

}  // namespace
}  // namespace gestalt

int main(int argc, char** argv) {
  gestalt::add_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
