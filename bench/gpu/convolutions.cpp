#include "bench/gpu/convolutions.h"

#include <chrono>
#include <cstdio>

#include "bench/gpu/convolution_cases.h"
#include "bench/gpu/measure.h"
#include "kernels/error.h"
#include "tensor/context.h"
#ifdef GESTALT_WITH_CUDA
#include "kernels/cuda/library/conv2d_candidates.h"
#endif

namespace gestalt::bench {
namespace {

#ifdef GESTALT_WITH_CUDA
using cuda::Conv2dCandidate;
using cuda::Conv2dDirection;

constexpr double seconds_a_candidate = 0.05;
// More than the library would take; what wants more is named, not run.
constexpr size_t most_workspace_bytes = size_t{4} << 30;

Conv2dDirection direction_of(const Case& c) {
  if (c.operation == "conv2d") return Conv2dDirection::forward;
  return c.operation == "conv2d_backward_data" ? Conv2dDirection::backward_data
                                               : Conv2dDirection::backward_weights;
}

std::string time_of(Device device, const Conv2dCandidate& candidate) {
  if (candidate.workspace_bytes > most_workspace_bytes) return "too much workspace";
  try {
    const Timing timing = measure(device, candidate.run, seconds_a_candidate);
    char text[48];
    std::snprintf(text, sizeof text, "%.4f ms (%d runs)", timing.milliseconds, timing.repeats);
    return text;
  } catch (const Error& error) {
    return error.what();
  }
}

void print_candidates(const Case& c, Device device) {
  const Convolution made = make_convolution(c, device);
  const View x = made.x.view(), w = made.w.view(), y = made.y.view();
  Context& on = context(device);
  std::printf("%s\n", c.name().c_str());
  int rank = 0;
  for (const Conv2dCandidate& candidate :
       cuda::conv2d_candidates(on, cuda::make_problem(on, direction_of(c), x, w, y, made.desc),
                               {x.data, w.data, y.data})) {
    std::printf("  %s %2d  engine %3lld  %-32s %9.1f MB  %s\n", candidate.is_chosen ? "*" : " ",
                ++rank, static_cast<long long>(candidate.engine), candidate.notes.c_str(),
                static_cast<double>(candidate.workspace_bytes) / (1 << 20),
                time_of(device, candidate).c_str());
    std::fflush(stdout);
  }
}
#else
void print_candidates(const Case&, Device) {}
#endif

}  // namespace

void print_convolutions(Device device, const std::string& filter, double seconds) {
  GESTALT_CHECK(device.is_cuda(), "--convolutions compares cuDNN's engines: no device {}", device);
  std::printf("*: what the library takes; in cuDNN's own order; times: medians\n");
  const auto start = std::chrono::steady_clock::now();
  for (const Case& c : convolution_cases(device, Convolutions::all)) {
    if (c.name().find(filter) == std::string::npos) continue;
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (passed.count() > seconds) {
      std::printf("%s: left out: out of time\n", c.name().c_str());
      continue;
    }
    print_candidates(c, device);
  }
}

}  // namespace gestalt::bench
