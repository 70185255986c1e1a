// Training steps of FastGAN with Top-K on random images: the same work as
// bench/pytorch/fewshot_gan.py, which runs both and prints the ratios.
//   fewshot_gan [--batch 2] [--size 256] [--sparse 32_5] [--repeats 5] [--threads 2]
//               [--device cpu] [--dtype f32|bf16] [--channels_last] [--graph]
// A step is train_fewshot_gan's (tools/fewshot/step.h): DiffAugment, discriminator (hinge, LPIPS by
// VGG-16) and generator, Adam for both, moving average; the tool on CUDA runs with --channels_last
// --graph. A repeat is one step, or ten on CUDA and one wait for the device after them. bf16:
// mixed precision. --graph: all but the random numbers and Adam is captured once and replayed. Peak
// memory: the process' on a CPU; on CUDA, what of the device is taken at the end beyond what was
// before the networks.

#include <cstdio>
#include <string>

#include "bench/clock.h"
#include "bench/flags.h"
#include "bench/median.h"
#include "bench/peak_memory.h"
#include "models/sparse_levels.h"
#include "models/vgg.h"
#include "tensor/context.h"
#include "tools/fewshot/step.h"

namespace gestalt::bench {
namespace {

struct Settings {
  int64_t batch = 2, size = 256, repeats = 5;
  std::string sparse = "32_5";
  Form form;
};

models::Lpips make_perceptual(Generator& random) {
  const auto features = models::make_vgg_features(16, models::VggNorm::none, random);
  features->to(default_device());
  StateDict linear;
  const int64_t channels[] = {64, 128, 256, 512, 512};
  for (int i = 0; i < 5; ++i) {
    linear.push_back({format("lin{}.model.1.weight", i), random.uniform({1, channels[i], 1, 1})});
  }
  return models::Lpips("vgg16", features, linear);
}

void run(const Settings& s) {
  set_default_device(parse_device(s.form.device));
  const double taken = device_megabytes();
  Generator random(1);
  tools::GanModel model({.image_size = s.size,
                         .sparse = models::parse_sparse_levels(s.sparse),
                         .format = s.form.format},
                        1, 2e-4);
  tools::GanStep training(
      model, make_perceptual(random),
      {.batch_size = s.batch, .seed = 1, .capture = s.form.graph, .dtype = s.form.dtype});
  training.batch().copy_(random.uniform(training.batch().shape(), 0, 255).to(DType::u8));
  const int64_t steps = default_device().is_cuda() ? 10 : 1;
  int64_t number = 0;
  const auto repeat = [&] {
    for (int64_t step = 0; step < steps; ++step) training.run(number++);
    synchronize(default_device());
  };
  const double seconds =
      median_seconds(s.repeats, repeat, [] { return now(false); }) / static_cast<double>(steps);
  std::printf("seconds %.4f  peak_MB %.1f\n", seconds, megabytes_since(taken));
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  gestalt::bench::Settings s;
  gestalt::bench::Flags flags(
      "fewshot_gan [--batch N] [--size N] [--sparse LEVELS] [--repeats N] [--threads N]");
  flags.add("--batch", s.batch);
  flags.add("--size", s.size);
  flags.add("--sparse", s.sparse);
  flags.add("--repeats", s.repeats);
  flags.add(s.form);
  return flags.run(argc, argv, 0, [&](const auto&) { gestalt::bench::run(s); });
}
