// bench_gpu: the machine's limits, then the kernels and networks that matter, as shares of them.
//
//   bench_gpu [--device cuda:0] [--output PREFIX] [--pytorch FILE] [--filter TEXT] [--seconds 200]
//   bench_gpu --list           the cases, for bench/pytorch/gpu.py
//   bench_gpu --convolutions   ResNet-18's convolutions by each engine that cuDNN proposes
//
// --output writes PREFIX.json and PREFIX.md. Cases for which no time is left are named; the exit
// code is 1 only where one failed. --device cpu runs small forms of the same cases by the wall
// clock, to try the program without a GPU.

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>

#include "bench/gpu/convolutions.h"
#include "bench/gpu/report.h"
#include "kernels/error.h"
#include "kernels/runtime.h"
#include "tensor/context.h"
#include "tensor/io/atomic_file.h"

namespace gestalt::bench {
namespace {

struct Options {
  Device device{DeviceType::cuda, 0};
  std::string output, pytorch, filter;
  double seconds = 200;
  bool list = false, convolutions = false;
};

constexpr double seconds_a_case = 0.4;

double parse_seconds(const std::string& text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  GESTALT_CHECK(error == std::errc{} && end == text.data() + text.size() && seconds > 0,
                "--seconds expects a positive number, got {}", text);
  return seconds;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", std::gmtime(&now));
  return text;
}

std::vector<Case> all_cases(const Options& options) {
  std::vector<Case> cases = limit_cases(options.device);  // always: shares are of these
  // What matters most first: the rest is what time leaves.
  for (const auto& make : {network_cases, topk_cases, statistics_cases, layer_cases}) {
    for (Case& c : make(options.device)) {
      if (c.name().find(options.filter) != std::string::npos) cases.push_back(std::move(c));
    }
  }
  return cases;
}

void print_list(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    std::string sizes;
    for (const int64_t size : c.shape) sizes += format("{}{}", sizes.empty() ? "" : ",", size);
    std::printf("%s\n", format("{}\t{}\t{}\t{}\t{}\t{}\t{},{},{}", c.name(), c.operation, c.dtype,
                               c.format == Format::contiguous ? "NCHW" : "NHWC", sizes, c.fraction,
                               c.window.outputs, c.window.kernel, c.window.stride)
                            .c_str());
  }
}

Report run(const Options& options, const std::vector<Case>& cases) {
  Report report;
  report.device = to_string(options.device);
  report.versions = context(options.device).runtime().describe(options.device.index);
  report.date = today();
  if (!options.pytorch.empty()) {
    std::ifstream in(options.pytorch);
    GESTALT_CHECK(in.good(), "can't read {}", options.pytorch);
    report.pytorch = PyTorchTimes::read(in);
  }
  const auto start = std::chrono::steady_clock::now();
  for (const Case& c : cases) {
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
    if (passed.count() > options.seconds) {
      std::printf("%-60s left out: out of time\n", c.name().c_str());
      report.left_out.push_back(format("{}: out of time", c.name()));
      continue;
    }
    try {
      const Result result{c, measure(options.device, c.prepare(), seconds_a_case)};
      std::printf("%-60s %10.4f ms %9.1f GB/s %8.2f TFLOP/s\n", c.name().c_str(),
                  result.timing.milliseconds, result.gigabytes_per_second(), result.teraflops());
      std::fflush(stdout);
      report.results.push_back(result);
    } catch (const Error& error) {
      std::printf("%-60s FAILED: %s\n", c.name().c_str(), error.what());
      report.left_out.push_back(format("{}: {}", c.name(), error.what()));
      ++report.errors;
    }
  }
  return report;
}

void write(const std::string& path, const std::string& text) {
  write_file_atomically(path, [&](const ByteSink& sink) { sink(text.data(), text.size()); });
  std::printf("wrote %s\n", path.c_str());
}

int bench(const Options& options) {
  const std::vector<Case> cases = all_cases(options);
  if (options.list) {
    print_list(cases);
    return 0;
  }
  GESTALT_CHECK(is_available(options.device),
                "no device {}; --device cpu tries this program without a GPU", options.device);
  if (options.convolutions) {
    print_convolutions(options.device, options.filter, options.seconds);
    return 0;
  }
  const Report report = run(options, cases);
  if (!options.output.empty()) {
    write(options.output + ".json", to_json(report));
    write(options.output + ".md", to_markdown(report));
  }
  return report.errors == 0 ? 0 : 1;
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  using namespace gestalt::bench;
  Options options;
  try {
    for (int i = 1; i < argc; ++i) {
      const auto is = [&](const char* name) { return std::strcmp(argv[i], name) == 0; };
      if (is("--list")) {
        options.list = true;
      } else if (is("--convolutions")) {
        options.convolutions = true;
      } else if (is("--device") && i + 1 < argc) {
        options.device = gestalt::parse_device(argv[++i]);
      } else if (is("--output") && i + 1 < argc) {
        options.output = argv[++i];
      } else if (is("--pytorch") && i + 1 < argc) {
        options.pytorch = argv[++i];
      } else if (is("--filter") && i + 1 < argc) {
        options.filter = argv[++i];
      } else if (is("--seconds") && i + 1 < argc) {
        options.seconds = parse_seconds(argv[++i]);
      } else {
        std::fprintf(stderr,
                     "usage: bench_gpu [--list | --convolutions] [--device cuda:0] [--output "
                     "PREFIX] [--pytorch FILE] "
                     "[--filter TEXT] [--seconds N]\n");
        return 2;
      }
    }
    return bench(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_gpu: %s\n", error.what());
    return 1;
  }
}
