// Convolution, one benchmark a VGG-19 layer, direction and algorithm. GFLOP/s are those of the
// direct sum, so Winograd can exceed the machine's peak.

#include <benchmark/benchmark.h>

#include "bench/vgg_layers.h"
#include "kernels/table.h"
#include "tensor/context.h"
#include "tensor/tensor.h"

namespace gestalt::bench {
namespace {

Tensor noise(const Shape& shape, double scale) {
  Tensor result = Tensor::empty(shape, {});
  Context& ctx = context(result.device());
  ctx.kernels().normal(ctx, PhiloxState{}, 0, scale, result.view());
  return result;
}

enum class Direction { forward, data };

void run(benchmark::State& state, const VggLayer& layer, Direction direction, bool exact) {
  const Tensor x = noise({1, layer.inputs, layer.size, layer.size}, 1);
  const Tensor w = noise({layer.outputs, layer.inputs, 3, 3}, 0.05);
  const Tensor bias = noise({layer.outputs}, 1);
  const Tensor y = noise({1, layer.outputs, layer.size, layer.size}, 1);
  const Conv2dDesc desc{.padding = {1, 1}};
  Context& ctx = context(x.device());
  const ExactGuard guard(x.device(), exact);
  for (auto _ : state) {
    if (direction == Direction::forward) {
      const View bias_view = bias.view();
      ctx.kernels().conv2d_forward(ctx, x.view(), w.view(), &bias_view, y.view(), desc);
    } else {
      ctx.kernels().conv2d_backward_data(ctx, y.view(), w.view(), x.view(), desc);
    }
  }
  const auto flops =
      static_cast<double>(2 * 9 * layer.inputs * layer.outputs * layer.size * layer.size);
  state.counters["GFLOP/s"] = benchmark::Counter(
      flops * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void register_all() {
  for (const VggLayer& layer : vgg19_to_pool4) {
    for (bool exact : {false, true}) {
      for (Direction direction : {Direction::forward, Direction::data}) {
        const std::string name = std::string("conv2d/") + layer.name +
                                 (direction == Direction::forward ? "/forward" : "/data") +
                                 (exact ? "/exact" : "/winograd");
        benchmark::RegisterBenchmark(name.c_str(), [&layer, direction,
                                                    exact](benchmark::State& state) {
          run(state, layer, direction, exact);
        })->UseRealTime();
      }
    }
  }
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  gestalt::bench::register_all();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
