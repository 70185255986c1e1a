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

#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/flags.h"
#include "bench/median.h"
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
  int64_t batch = 8, size = 224, percent = 100, repeats = 10, steps = 0;
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

// Of one call of `work`, by the median of the repeats.
double seconds_of(const Settings& s, const std::function<void()>& work) {
  const int64_t steps = s.steps > 0 ? s.steps : (default_device().is_cuda() ? 10 : 1);
  const auto repeat = [&] {
    for (int64_t step = 0; step < steps; ++step) work();
  };
  const auto clock = [&] {
    synchronize(default_device());
    return now(s.busy);
  };
  return median_seconds(s.repeats, repeat, clock) / static_cast<double>(steps);
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
    seconds = seconds_of(s, recorded(s, [&] { (*network)(images); }));
  } else {
    optim::Sgd optimizer(network->parameters(),
                         {.learning_rate = 0.01, .momentum = 0.9, .weight_decay = 5e-4});
    const std::function<void()> pass = recorded(s, [&] {
      optimizer.zero_grad();
      nn::cross_entropy((*network)(images), labels).backward();
    });
    seconds = seconds_of(s, [&] {
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
  gestalt::bench::Settings s;
  bool channels_last = false;
  gestalt::bench::Flags flags(
      "classifier MODEL train|inference [--batch N] [--size N] [--topk PERCENT] [--repeats N] "
      "[--steps N] [--threads N] [--device DEVICE] [--dtype f32|bf16] [--channels_last] [--graph] "
      "[--busy]");
  flags.add("--batch", s.batch);
  flags.add("--size", s.size);
  flags.add("--topk", s.percent, 1, 100);
  flags.add("--repeats", s.repeats);
  flags.add("--steps", s.steps);
  flags.add("--device", s.device);
  flags.add("--dtype", s.dtype);
  flags.add("--channels_last", channels_last);
  flags.add("--graph", s.graph);
  flags.add("--busy", s.busy);
  return flags.run(argc, argv, 2, [&](const std::vector<std::string>& given) {
    s.model = given[0];
    s.work = given[1];
    GESTALT_CHECK(s.work == "train" || s.work == "inference",
                  "expected train or inference, got '{}'", s.work);
    if (channels_last) s.format = gestalt::Format::channels_last;
    gestalt::bench::run(s);
  });
}
