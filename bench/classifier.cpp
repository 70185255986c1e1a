// Training steps or inference of a classifier on random images: the same work as
// bench/pytorch/classifier.py, which runs both and prints the ratios.
//   classifier MODEL train|inference [--batch 8] [--size 224] [--topk PERCENT] [--repeats 10]
//              [--threads 2] [--channels_last] [--busy]
// A training step: forward, cross-entropy, backward, SGD with momentum and weight decay. --busy:
// the process' CPU time in place of the clock's, for a machine that others use.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "bench/peak_memory.h"
#include "kernels/error.h"
#include "models/registry.h"
#include "nn/loss.h"
#include "optim/sgd.h"
#include "tensor/autograd.h"

namespace gestalt::bench {
namespace {

struct Settings {
  std::string model, work;
  int64_t batch = 8, size = 224, percent = 100;
  int repeats = 10;
  bool busy = false;
  Format format = Format::contiguous;
};

double now(bool busy) {
  if (busy) return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The median of the repeats behind one warm-up.
template <class F>
double median_seconds(int repeats, bool busy, const F& work) {
  std::vector<double> seconds;
  for (int i = 0; i <= repeats; ++i) {
    const double start = now(busy);
    work();
    if (i > 0) seconds.push_back(now(busy) - start);
  }
  std::nth_element(seconds.begin(), seconds.begin() + repeats / 2, seconds.end());
  return seconds[repeats / 2];
}

void run(const Settings& s) {
  const auto network = models::make_model(s.model, {.image_size = s.size});
  if (s.percent < 100) {
    models::insert_topk(*network, models::find_model(s.model).topk_places,
                        static_cast<double>(s.percent) / 100);
  }
  Generator generator(1);
  const Tensor images = generator.normal({s.batch, 3, s.size, s.size}, 0, 1, {.format = s.format});
  const Tensor labels = Tensor::zeros({s.batch}, {.dtype = DType::i64});
  double seconds = 0;
  if (s.work == "inference") {
    network->eval();
    const NoGradGuard no_grad;
    seconds = median_seconds(s.repeats, s.busy, [&] { (*network)(images); });
  } else {
    optim::Sgd optimizer(network->parameters(),
                         {.learning_rate = 0.01, .momentum = 0.9, .weight_decay = 5e-4});
    seconds = median_seconds(s.repeats, s.busy, [&] {
      nn::cross_entropy((*network)(images), labels).backward();
      optimizer.step();
      optimizer.zero_grad();
    });
  }
  std::printf("seconds %.4f  peak_MB %.1f\n", seconds, peak_megabytes());
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  gestalt::set_num_threads(2);
  gestalt::bench::Settings s;
  const auto usage = [&] {
    std::fprintf(stderr,
                 "usage: %s MODEL train|inference [--batch N] [--size N] [--topk PERCENT] "
                 "[--repeats N] [--threads N] [--channels_last] [--busy]\n",
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
    if (i + 1 == argc) return usage();
    const int value = std::atoi(argv[++i]);
    if (flag == "--batch") {
      s.batch = value;
    } else if (flag == "--size") {
      s.size = value;
    } else if (flag == "--topk") {
      s.percent = value;
    } else if (flag == "--repeats") {
      s.repeats = value;
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
