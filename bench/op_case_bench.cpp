// Every OpCase of the tests, and those of bench/large_cases.cpp at the sizes of networks, timed on
// every device present, forward and (where there is one) forward with backward.
//
//   op_case_bench [--benchmark_filter=max_pool2d/.*] [--dtypes=f32,bf16] [Google Benchmark's flags]
//
// GB/s counts the case's bytes, or else every input read and every output written once; GFLOP/s its
// flops, where it has some. Both are of the forward run alone.

#include <benchmark/benchmark.h>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "bench/gpu/stopwatch.h"
#include "kernels/error.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tests/cases/op_case.h"

namespace gestalt::bench {
namespace {

using cases::OpCase;

double bytes_of(const std::vector<Tensor>& tensors) {
  double bytes = 0;
  for (const Tensor& tensor : tensors) {
    bytes += static_cast<double>(tensor.numel() * size_of(tensor.dtype()));
  }
  return bytes;
}

void repeat(benchmark::State& state, Device device, auto work) {
  const std::unique_ptr<Stopwatch> watch = stopwatch(device);
  synchronize(device);
  for (auto _ : state) {
    watch->start();
    work();
    state.SetIterationTime(watch->stop() * 1e-3);
  }
}

void count_rate(benchmark::State& state, const char* name, double amount) {
  if (amount <= 0) return;
  state.counters[name] =
      benchmark::Counter(amount * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void forward(benchmark::State& state, const OpCase& op_case, DType dtype, Device device) {
  const NoGradGuard no_grad;
  const std::vector<Tensor> inputs = cases::make_inputs(op_case, dtype, device);
  // Makes the plans. No output is kept, so that each run gets the memory of the one before.
  const double output_bytes = bytes_of(op_case.run(inputs));
  repeat(state, device, [&] { benchmark::DoNotOptimize(op_case.run(inputs)); });
  count_rate(state, "GB/s", op_case.bytes > 0 ? op_case.bytes : bytes_of(inputs) + output_bytes);
  count_rate(state, "GFLOP/s", op_case.flops);
}

void forward_backward(benchmark::State& state, const OpCase& op_case, DType dtype, Device device) {
  std::vector<Tensor> inputs = cases::make_inputs(op_case, dtype, device);
  std::vector<Tensor> wanted;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!op_case.inputs[i].gradient || op_case.inputs[i].integer) continue;
    inputs[i].set_requires_grad(true);
    wanted.push_back(inputs[i]);
  }
  std::vector<Tensor> ones;
  for (const Tensor& output : op_case.run(inputs)) {
    ones.push_back(Tensor::ones(output.shape(), output.options()));
  }
  repeat(state, device,
         [&] { benchmark::DoNotOptimize(gradients(op_case.run(inputs), ones, wanted)); });
}

bool has_gradient(const OpCase& op_case) {
  if (!op_case.differentiable) return false;
  for (const cases::Input& input : op_case.inputs) {
    if (input.gradient && !input.integer) return true;
  }
  return false;
}

void register_all(const std::vector<DType>& dtypes) {
  constexpr double seconds = 0.05;  // a case: there are hundreds
  const auto add = [](const std::string& name, auto run) {
    benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->MinTime(seconds);
  };
  for (const Device device : {Device{}, Device{DeviceType::cuda, 0}}) {
    if (!is_available(device)) continue;
    for (const OpCase& op_case : cases::all_cases()) {
      for (const DType dtype : dtypes) {
        if (std::find(op_case.dtypes.begin(), op_case.dtypes.end(), dtype) ==
            op_case.dtypes.end()) {
          continue;
        }
        const std::string name = op_case.name + '/' + to_string(device) + '/' + to_string(dtype);
        add(name + "/forward", [&op_case, dtype, device](benchmark::State& state) {
          forward(state, op_case, dtype, device);
        });
        if (!has_gradient(op_case)) continue;
        add(name + "/both", [&op_case, dtype, device](benchmark::State& state) {
          forward_backward(state, op_case, dtype, device);
        });
      }
    }
  }
}

// Takes --dtypes off the command line; Google Benchmark gets the rest.
std::vector<DType> take_dtypes(int& argc, char** argv) {
  constexpr const char* flag = "--dtypes=";
  std::vector<DType> dtypes;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], flag, std::strlen(flag)) != 0) {
      argv[kept++] = argv[i];
      continue;
    }
    std::istringstream list(argv[i] + std::strlen(flag));
    for (std::string name; std::getline(list, name, ',');) dtypes.push_back(parse_dtype(name));
  }
  argc = kept;
  return dtypes.empty() ? std::vector<DType>{DType::f32} : dtypes;
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  try {
    gestalt::bench::register_all(gestalt::bench::take_dtypes(argc, argv));
  } catch (const gestalt::Error& error) {
    std::fprintf(stderr, "%s: --dtypes: %s\n", argv[0], error.what());
    return 2;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
