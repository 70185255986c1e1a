// Training steps or inference of a classifier on random images: the same work as
// bench/pytorch/classifier.py, which runs both and prints the ratios. `topk`: training steps with
// Top-K at the model's places and without, in turns in one process, since what it adds is less than
// two processes differ.
//   classifier MODEL train|inference|topk [--batch 8] [--size 224] [--topk PERCENT] [--repeats 10]
//              [--steps N] [--threads 2] [--device cpu] [--dtype f32|bf16] [--channels_last]
//              [--graph] [--busy]
// Peak memory: the process' on a CPU; on CUDA, what of the device is taken at the end beyond what
// was before the network. A training step is train_classifier's (tools/training/step.h): forward,
// cross-entropy, backward, SGD with momentum and weight decay. A repeat is N steps and one wait for
// the device after them: 1 on a CPU, 10 on CUDA, where a training doesn't wait for each either.
// bf16: mixed precision. --graph: forward and backward are captured once and replayed. --busy: the
// process' CPU time in place of the clock's, for a machine that others use.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bench/classifier_training.h"
#include "bench/clock.h"
#include "bench/flags.h"
#include "bench/median.h"
#include "bench/peak_memory.h"
#include "bench/replayed.h"
#include "kernels/error.h"
#include "models/registry.h"
#include "nn/autocast.h"
#include "nn/weight_format.h"
#include "tensor/autograd.h"
#include "tensor/context.h"

namespace gestalt::bench {
namespace {

struct Settings {
  std::string model, work;
  int64_t batch = 8, size = 224, percent = 100, repeats = 10, steps = 0;
  bool busy = false;
  Form form;
};

int64_t steps_of(const Settings& s) {
  return s.steps > 0 ? s.steps : (default_device().is_cuda() ? 10 : 1);
}

std::function<void()> repeat_of(const Settings& s, std::function<void()> work) {
  return [steps = steps_of(s), work = std::move(work)] {
    for (int64_t step = 0; step < steps; ++step) work();
  };
}

double clock_of(const Settings& s) {
  synchronize(default_device());
  return now(s.busy);
}

// One step, or one inference, of a network of its own.
std::function<void()> make_work(const Settings& s, int64_t percent, const Tensor& images) {
  const std::shared_ptr<nn::Module> network = models::make_model(s.model, {.image_size = s.size});
  if (percent < 100) {
    models::insert_topk(*network, models::find_model(s.model).topk_places,
                        static_cast<double>(percent) / 100);
  }
  if (s.work != "inference") {
    const auto training = std::make_shared<ClassifierTraining>(
        network, images,
        optim::SgdOptions{.learning_rate = 0.01, .momentum = 0.9, .weight_decay = 5e-4},
        tools::ClassifierStepOptions{.batch_size = s.batch,
                                     .dtype = s.form.dtype,
                                     .format = s.form.format,
                                     .capture = s.form.graph});
    return [training] { (*training)(); };
  }
  nn::set_weight_format(*network, s.form.format);
  network->eval();
  const auto infer = [network, images, dtype = s.form.dtype] {
    const nn::AutocastGuard autocast(dtype);
    const NoGradGuard no_grad;
    (*network)(images);
  };
  return s.form.graph ? replayed(default_device(), infer) : infer;
}

// Which of the two goes first alternates.
void compare_topk(const Settings& s, const Tensor& images) {
  const auto plain = repeat_of(s, make_work(s, 100, images));
  const auto topk = repeat_of(s, make_work(s, s.percent, images));
  const auto seconds_of = [&](const std::function<void()>& repeat) {
    const double start = clock_of(s);
    repeat();
    return (clock_of(s) - start) / static_cast<double>(steps_of(s));
  };
  std::vector<double> plain_seconds, topk_seconds, ratios;
  for (int64_t i = 0; i <= s.repeats; ++i) {
    const bool plain_first = i % 2 == 0;
    const double first = seconds_of(plain_first ? plain : topk);
    const double second = seconds_of(plain_first ? topk : plain);
    if (i == 0) continue;  // warms up
    plain_seconds.push_back(plain_first ? first : second);
    topk_seconds.push_back(plain_first ? second : first);
    ratios.push_back(topk_seconds.back() / plain_seconds.back());
  }
  std::sort(ratios.begin(), ratios.end());
  const auto quantile = [&](double part) {
    return ratios[static_cast<size_t>(part * static_cast<double>(ratios.size() - 1))];
  };
  std::printf("plain %.5f topk %.5f ratio %.4f quartiles %.4f %.4f\n",
              *std::min_element(plain_seconds.begin(), plain_seconds.end()),
              *std::min_element(topk_seconds.begin(), topk_seconds.end()), quantile(0.5),
              quantile(0.25), quantile(0.75));
}

void run(const Settings& s) {
  set_default_device(parse_device(s.form.device));
  const double taken = device_megabytes();
  Generator generator(1);
  const Tensor images =
      generator.normal({s.batch, 3, s.size, s.size}, 0, 1, {.format = s.form.format});
  if (s.work == "topk") return compare_topk(s, images);
  const auto repeat = repeat_of(s, make_work(s, s.percent, images));
  const double seconds = median_seconds(s.repeats, repeat, [&] { return clock_of(s); }) /
                         static_cast<double>(steps_of(s));
  std::printf("seconds %.5f  peak_MB %.1f\n", seconds, megabytes_since(taken));
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  gestalt::bench::Settings s;
  gestalt::bench::Flags flags(
      "classifier MODEL train|inference|topk [--batch N] [--size N] [--topk PERCENT] [--repeats N] "
      "[--steps N] [--threads N] [--busy]");
  flags.add("--batch", s.batch);
  flags.add("--size", s.size);
  flags.add("--topk", s.percent, 1, 100);
  flags.add("--repeats", s.repeats);
  flags.add("--steps", s.steps);
  flags.add(s.form);
  flags.add("--busy", s.busy);
  return flags.run(argc, argv, 2, [&](const std::vector<std::string>& given) {
    s.model = given[0];
    s.work = given[1];
    GESTALT_CHECK(s.work == "train" || s.work == "inference" || s.work == "topk",
                  "expected train, inference or topk, got '{}'", s.work);
    GESTALT_CHECK(s.work != "topk" || s.percent < 100, "topk wants --topk below 100");
    gestalt::bench::run(s);
  });
}
