// Training steps or inference of a classifier on random images: the same work as
// bench/pytorch/classifier.py, which runs both and prints the ratios.
//   classifier MODEL train|inference [--batch 8] [--size 224] [--topk PERCENT] [--repeats 10]
//              [--steps N] [--threads 2] [--device cpu] [--dtype f32|bf16] [--channels_last]
//              [--graph] [--busy]
// Peak memory: the process' on a CPU; on CUDA, what of the device is taken at the end beyond what
// was before the network. A training step: forward, cross-entropy, backward, SGD with momentum and
// weight decay. A repeat is N steps and one wait for the device behind them: 1 on a CPU, 10 on
// CUDA, where a training doesn't wait for each either. bf16: mixed precision, as
// train_classifier's. --graph: forward and backward are recorded once and replayed. --busy: the
// process' CPU time in place of the clock's, for a machine that others use.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/peak_memory.h"
#include "kernels/error.h"
#include "kernels/runtime.h"
#include "models/registry.h"
#include "nn/autocast.h"
#include "nn/loss.h"
#include "nn/weight_format.h"
#include "optim/sgd.h"
#include "tensor/autograd.h"
#include "tensor/context.h"
#include "tensor/graph.h"

namespace gestalt::bench {
namespace {

struct Settings {
  std::string model, work, device = "cpu", dtype = "f32";
  int64_t batch = 8, size = 224, percent = 100;
  int repeats = 10, steps = 0;
  bool busy = false, graph = false;
  Format format = Format::contiguous;
};

// Taken on the device, in MB; 0 on a CPU, where a process has a peak of its own.
double device_megabytes() {
  Context& ctx = context(default_device());
  if (default_device().is_cpu()) return 0;
  const MemoryInfo memory = ctx.runtime().memory(ctx);
  return static_cast<double>(memory.total - memory.free) / (1 << 20);
}

// Of one call of `work`: the median of the repeats behind one warm-up.
double median_seconds(const Settings& s, const std::function<void()>& work) {
  const int steps = s.steps > 0 ? s.steps : (default_device().is_cuda() ? 10 : 1);
  std::vector<double> seconds;
  for (int i = 0; i <= s.repeats; ++i) {
    synchronize(default_device());
    const double start = now(s.busy);
    for (int step = 0; step < steps; ++step) work();
    synchronize(default_device());
    if (i > 0) seconds.push_back((now(s.busy) - start) / steps);
  }
  std::nth_element(seconds.begin(), seconds.begin() + s.repeats / 2, seconds.end());
  return seconds[static_cast<size_t>(s.repeats) / 2];
}

// `work` itself, or its replay: a recorded one leaves its gradients where they are.
std::function<void()> recorded(const Settings& s, std::function<void()> work) {
  if (!s.graph) return work;
  auto graph = std::make_shared<CapturedGraph>(default_device(), std::move(work));
  return [graph] { graph->replay(); };
}

void run(const Settings& s) {
  set_default_device(parse_device(s.device));
  const double taken = device_megabytes();
  const nn::AutocastGuard autocast(parse_dtype(s.dtype));
  const auto network = models::make_model(s.model, {.image_size = s.size});
  if (s.percent < 100) {
    models::insert_topk(*network, models::find_model(s.model).topk_places,
                        static_cast<double>(s.percent) / 100);
  }
  nn::set_weight_format(*network, s.format);
  Generator generator(1);
  const Tensor images = generator.normal({s.batch, 3, s.size, s.size}, 0, 1, {.format = s.format});
  const Tensor labels = Tensor::zeros({s.batch}, {.dtype = DType::i64});
  double seconds = 0;
  if (s.work == "inference") {
    network->eval();
    const NoGradGuard no_grad;
    seconds = median_seconds(s, recorded(s, [&] { (*network)(images); }));
  } else {
    optim::Sgd optimizer(network->parameters(),
                         {.learning_rate = 0.01, .momentum = 0.9, .weight_decay = 5e-4});
    const std::function<void()> pass = recorded(s, [&] {
      optimizer.zero_grad();
      nn::cross_entropy((*network)(images), labels).backward();
    });
    seconds = median_seconds(s, [&] {
      pass();
      optimizer.step();
      if (!s.graph) optimizer.zero_grad();
    });
  }
  const double memory = default_device().is_cpu() ? peak_megabytes() : device_megabytes() - taken;
  std::printf("seconds %.5f  peak_MB %.1f\n", seconds, memory);
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  gestalt::set_num_threads(2);
  gestalt::bench::Settings s;
  const auto usage = [&] {
    std::fprintf(stderr,
                 "usage: %s MODEL train|inference [--batch N] [--size N] [--topk PERCENT] "
                 "[--repeats N] [--steps N] [--threads N] [--device DEVICE] [--dtype f32|bf16] "
                 "[--channels_last] [--graph] [--busy]\n",
                 argv[0]);
    return 2;
  };
  if (argc < 3) return usage();
  s.model = argv[1];
  s.work = argv[2];
  for (int i = 3; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--channels_last") {
      s.format = gestalt::Format::channels_last;
      continue;
    }
    if (flag == "--busy") {
      s.busy = true;
      continue;
    }
    if (flag == "--graph") {
      s.graph = true;
      continue;
    }
    if (i + 1 == argc) return usage();
    const std::string text = argv[++i];
    const int value = std::atoi(text.c_str());
    if (flag == "--batch") {
      s.batch = value;
    } else if (flag == "--size") {
      s.size = value;
    } else if (flag == "--topk") {
      s.percent = value;
    } else if (flag == "--repeats") {
      s.repeats = value;
    } else if (flag == "--steps") {
      s.steps = value;
    } else if (flag == "--device") {
      s.device = text;
    } else if (flag == "--dtype") {
      s.dtype = text;
    } else if (flag == "--threads") {
      gestalt::set_num_threads(value);
    } else {
      return usage();
    }
  }
  try {
    gestalt::bench::run(s);
    return 0;
  } catch (const gestalt::Error& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
