// Top-K, Gram matrices and channel statistics on the CPU.
//   bench/topk_bench            two threads unless OMP_NUM_THREADS says otherwise
//   bench/pytorch/topk.py       the same work in PyTorch, and the ratio
// GB/s counts one read and one write of the tensor; `copy` is the machine's own limit for that.

#include <benchmark/benchmark.h>
#include <random>

#include "kernels/table.h"
#include "nn/gram.h"
#include "nn/topk.h"
#include "tensor/autograd.h"
#include "tensor/context.h"

namespace gestalt {
namespace {

Tensor gaussian(const Shape& shape, DType dtype, Format format, bool relu) {
  std::mt19937_64 engine(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(shape.numel());
  for (float& value : values) {
    value = normal(engine);
    if (relu && value < 0) value = 0;
  }
  return Tensor::from_vector(values, shape).to(dtype).contiguous(format);
}

void report(benchmark::State& state, const Tensor& x) {
  const double bytes = 2.0 * static_cast<double>(x.numel() * size_of(x.dtype()));
  state.counters["GB/s"] =
      benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void copy(benchmark::State& state, const Shape& shape) {
  const Tensor x = gaussian(shape, DType::f32, Format::contiguous, false);
  Tensor y = Tensor::empty(shape);
  Context& ctx = context({});
  for (auto _ : state) ctx.kernels().multiply_scalar(ctx, x.view(), 1.5, y.view());
  report(state, x);
}

void topk(benchmark::State& state, const Shape& shape, double fraction, DType dtype, Format format,
          bool relu) {
  const NoGradGuard no_grad;
  const Tensor x = gaussian(shape, dtype, format, relu);
  for (auto _ : state) benchmark::DoNotOptimize(nn::topk(x, fraction));
  report(state, x);
}

void topk_backward(benchmark::State& state, const Shape& shape, double fraction) {
  Tensor x = gaussian(shape, DType::f32, Format::contiguous, false);
  const Tensor dy = gaussian(shape, DType::f32, Format::contiguous, false);
  x.set_requires_grad(true);
  const Tensor y = nn::topk(x, fraction);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        gradients(std::span(&y, 1), std::span(&dy, 1), std::span(&x, 1), {.retain_graph = true}));
  }
  report(state, x);
}

void gram(benchmark::State& state, const Shape& shape, bool backward) {
  const int64_t rows = shape[1], length = shape[2] * shape[3];
  const Tensor x = gaussian({1, rows, length}, DType::f32, Format::contiguous, false);
  const Tensor dy = gaussian({1, rows, rows}, DType::f32, Format::contiguous, false);
  Tensor y = Tensor::empty({1, rows, rows}), dx = Tensor::empty({1, rows, length});
  Context& ctx = context({});
  for (auto _ : state) {
    if (backward) {
      ctx.kernels().gram_backward(ctx, dy.view(), x.view(), 1.0, dx.view());
    } else {
      ctx.kernels().gram_forward(ctx, x.view(), 1.0, y.view());
    }
  }
  // As a full product counts; the forward pass computes half of it.
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * static_cast<double>(rows * rows * length),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void add_all() {
  const auto add = [](const std::string& name, auto function) {
    benchmark::RegisterBenchmark(name.c_str(), function)->UseRealTime();
  };
  const Shape large{8, 128, 112, 112}, middle{8, 256, 32, 32}, small{8, 512, 28, 28};
  add("copy/[8,128,112,112]", [=](auto& state) { copy(state, large); });
  for (const Shape& shape : {large, middle, small}) {
    for (const double fraction : {0.2, 0.1, 0.05}) {
      const std::string suffix = to_string(shape) + "/" + format("{}", fraction);
      const auto case_of = [=](DType dtype, Format format, bool relu) {
        return [=](auto& state) { topk(state, shape, fraction, dtype, format, relu); };
      };
      const auto flat = Format::contiguous, last = Format::channels_last;
      add("topk/f32" + suffix, case_of(DType::f32, flat, false));
      if (fraction == 0.05) continue;
      add("topk_relu/f32" + suffix, case_of(DType::f32, flat, true));
      add("topk/bf16" + suffix, case_of(DType::bf16, flat, false));
      add("topk_channels_last/f32" + suffix, case_of(DType::f32, last, false));
    }
    add("topk_backward/f32" + to_string(shape),
        [=](auto& state) { topk_backward(state, shape, 0.2); });
  }
  for (const Shape& shape : {Shape{1, 64, 256, 256}, Shape{1, 64, 128, 128}, Shape{1, 128, 64, 64},
                             Shape{1, 256, 32, 32}, Shape{1, 512, 16, 16}}) {
    add("gram/" + to_string(shape), [=](auto& state) { gram(state, shape, false); });
    add("gram_backward/" + to_string(shape), [=](auto& state) { gram(state, shape, true); });
  }
}

}  // namespace
}  // namespace gestalt

int main(int argc, char** argv) {
  gestalt::add_all();
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
