// Training steps of FastGAN with Top-K on random images: the same work as
// bench/pytorch/fewshot_gan.py, which runs both and prints the ratios.
//   fewshot_gan [--batch 2] [--size 256] [--sparse 32_5] [--repeats 5] [--threads 2]
//               [--device cpu] [--dtype f32|bf16] [--channels_last] [--graph]
// A step: DiffAugment, discriminator (hinge, LPIPS by VGG-16) and generator, Adam for both, moving
// average; its parts are train_fewshot_gan's (tools/fewshot/step.cpp), which on CUDA runs with
// --channels_last --graph. A repeat is one step, or ten on CUDA and one wait for the device behind
// them. bf16: mixed precision. --graph: all but the random numbers and Adam is recorded once and
// replayed. Peak memory: the process' on a CPU; on CUDA, what of the device is taken at the end
// beyond what was before the networks.

#include <array>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/flags.h"
#include "bench/median.h"
#include "bench/peak_memory.h"
#include "bench/recorded.h"
#include "kernels/error.h"
#include "models/fastgan_losses.h"
#include "models/vgg.h"
#include "nn/autocast.h"
#include "nn/diff_augment.h"
#include "nn/weight_format.h"
#include "optim/adam.h"
#include "optim/ema.h"
#include "tensor/autograd.h"
#include "tensor/context.h"

namespace gestalt::bench {
namespace {

struct Settings {
  int64_t batch = 2, size = 256, repeats = 5;
  std::string sparse = "32_5", device = "cpu", dtype = "f32";
  bool graph = false;
  Format format = Format::contiguous;
};

models::Lpips make_perceptual(const Settings& s, Generator& random) {
  const auto features = models::make_vgg_features(16, models::VggNorm::none, random);
  features->to(default_device());
  StateDict linear;
  const int64_t channels[] = {64, 128, 256, 512, 512};
  for (int i = 0; i < 5; ++i) {
    linear.push_back({format("lin{}.model.1.weight", i), random.uniform({1, channels[i], 1, 1})});
  }
  models::Lpips perceptual("vgg16", features, linear);
  perceptual.prepare(s.format, parse_dtype(s.dtype));
  return perceptual;
}

class Training {
 public:
  explicit Training(const Settings& s)
      : records_(s.graph),
        options_{.image_size = s.size,
                 .sparse = models::parse_sparse_levels(s.sparse),
                 .format = s.format},
        generator_(options_, random_),
        discriminator_(options_, random_),
        lpips_(make_perceptual(s, random_)),
        adam_g_(parameters_of(generator_), adam()),
        adam_d_(parameters_of(discriminator_), adam()),
        average_(generator_.parameters(), 0.999),
        real_(random_.uniform({s.batch, 3, s.size, s.size}, -1, 1, {.format = s.format})),
        z_(Tensor::empty({s.batch, options_.latent_size})),
        part_(Tensor::empty({2})) {
    const int64_t logits = 2 * s.batch * 25;
    for (Tensor& margins : margins_) margins = Tensor::empty({logits});
    for (Tensor& numbers : numbers_) {
      numbers = Tensor::empty({s.batch, nn::diff_augment_numbers});
    }
  }

  void step() {
    random_.fill_normal(z_, 0, 1);
    random_.fill_uniform(part_, 0, 1);
    for (Tensor& margins : margins_) random_.fill_uniform(margins, 0.8, 1);
    for (Tensor& numbers : numbers_) random_.fill_uniform(numbers, 0, 1);

    if (records_ && !is_recorded_) record();
    parts_[0]();
    adam_d_.step();
    if (!records_) discriminator_.zero_grad();
    parts_[1]();
    adam_g_.step();
    if (!records_) generator_.zero_grad();
    parts_[2]();
    if (!records_) fake_ = {};
  }

 private:
  std::vector<Tensor> parameters_of(nn::Module& network) const {
    network.to(default_device());
    nn::set_weight_format(network, options_.format);
    return network.parameters();
  }

  static optim::AdamOptions adam() { return {.learning_rate = 2e-4, .beta1 = 0.5, .beta2 = 0.999}; }

  // In the order of a step, as each takes what the one before leaves.
  void record() {
    for (auto& part : parts_) part = recorded(default_device(), std::move(part));
    is_recorded_ = true;
  }

  void train_discriminator() {
    fake_ = {};  // a recorded step takes its memory again
    discriminator_.set_requires_grad(true);
    discriminator_.zero_grad();
    models::discriminator_loss_real(
        discriminator_, lpips_, nn::diff_augment(real_, numbers_[2], policy), part_, margins_[0])
        .total()
        .backward();
    const models::FastGanImages images = generator_.generate(z_);
    fake_ = {.big = nn::diff_augment(nn::autocast_to_f32(images.big), numbers_[0], policy),
             .small = nn::diff_augment(nn::autocast_to_f32(images.small), numbers_[1], policy)};
    models::discriminator_loss_fake(discriminator_, fake_, margins_[1]).backward();
  }

  // The way back is cut at the images, since a recorded step walks the generator's tape, which is
  // of another recording, more than once.
  void train_generator() {
    discriminator_.set_requires_grad(false);
    generator_.zero_grad();
    models::FastGanImages judged = {fake_.big.detach(), fake_.small.detach()};
    judged.big.set_requires_grad(true);
    judged.small.set_requires_grad(true);
    models::generator_loss(discriminator_, judged).backward();
    const std::array<Tensor, 2> outputs = {fake_.big, fake_.small};
    const std::array<Tensor, 2> gradients = {judged.big.grad(), judged.small.grad()};
    backward(outputs, gradients, {.retain_graph = records_});
  }

  static constexpr nn::DiffAugmentPolicy policy = {.color = true, .translation = true};

  bool records_, is_recorded_ = false;
  Generator random_{1};
  models::FastGanOptions options_;
  models::FastGanGenerator generator_;
  models::FastGanDiscriminator discriminator_;
  models::Lpips lpips_;
  optim::Adam adam_g_, adam_d_;
  optim::ExponentialMovingAverage average_;
  Tensor real_, z_, part_;
  Tensor margins_[2], numbers_[3];
  models::FastGanImages fake_;  // from the discriminator's part to the generator's
  std::array<std::function<void()>, 3> parts_ = {[this] { train_discriminator(); },
                                                 [this] { train_generator(); },
                                                 [this] { average_.update(); }};
};

void run(const Settings& s) {
  set_default_device(parse_device(s.device));
  const double taken = device_megabytes();
  const nn::AutocastGuard autocast(parse_dtype(s.dtype));
  Training training(s);
  const int64_t steps = default_device().is_cuda() ? 10 : 1;
  const auto repeat = [&] {
    for (int64_t step = 0; step < steps; ++step) training.step();
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
  bool channels_last = false;
  gestalt::bench::Flags flags(
      "fewshot_gan [--batch N] [--size N] [--sparse LEVELS] [--repeats N] [--threads N] [--device "
      "DEVICE] [--dtype f32|bf16] [--channels_last] [--graph]");
  flags.add("--batch", s.batch);
  flags.add("--size", s.size);
  flags.add("--sparse", s.sparse);
  flags.add("--repeats", s.repeats);
  flags.add("--device", s.device);
  flags.add("--dtype", s.dtype);
  flags.add("--channels_last", channels_last);
  flags.add("--graph", s.graph);
  return flags.run(argc, argv, 0, [&](const auto&) {
    if (channels_last) s.format = gestalt::Format::channels_last;
    gestalt::bench::run(s);
  });
}
