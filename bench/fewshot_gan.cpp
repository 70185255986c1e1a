// Training steps of FastGAN with Top-K on random images: the same work as
// bench/pytorch/fewshot_gan.py, which runs both and prints the ratios.
//   fewshot_gan [--batch 2] [--size 256] [--sparse 32_5] [--repeats 5] [--threads 2]
//               [--device cpu]
// A step: DiffAugment, discriminator (hinge, LPIPS by VGG-16) and generator, Adam for both, moving
// average.

#include <cstdio>
#include <string>
#include <vector>

#include "bench/clock.h"
#include "bench/flags.h"
#include "bench/median.h"
#include "bench/peak_memory.h"
#include "kernels/error.h"
#include "models/fastgan_losses.h"
#include "models/vgg.h"
#include "nn/diff_augment.h"
#include "optim/adam.h"
#include "optim/ema.h"
#include "tensor/autograd.h"
#include "tensor/context.h"

namespace gestalt::bench {
namespace {

struct Settings {
  int64_t batch = 2, size = 256, repeats = 5;
  std::string sparse = "32_5", device = "cpu";
};

models::Lpips make_perceptual(Generator& random) {
  const auto features = models::make_vgg_features(16, models::VggNorm::none, random);
  features->to(default_device());
  StateDict linear;
  const int64_t channels[] = {64, 128, 256, 512, 512};
  for (int i = 0; i < 5; ++i) {
    linear.push_back({format("lin{}.model.1.weight", i), random.uniform({1, channels[i], 1, 1})});
  }
  return {"vgg16", features, linear};
}

class Training {
 public:
  explicit Training(const Settings& s)
      : options_{.image_size = s.size, .sparse = models::parse_sparse_levels(s.sparse)},
        generator_(options_, random_),
        discriminator_(options_, random_),
        lpips_(make_perceptual(random_)),
        adam_g_((generator_.to(default_device()), generator_.parameters()), adam()),
        adam_d_((discriminator_.to(default_device()), discriminator_.parameters()), adam()),
        average_(generator_.parameters(), 0.999),
        real_(random_.uniform({s.batch, 3, s.size, s.size}, -1, 1)),
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

    const nn::DiffAugmentPolicy policy{.color = true, .translation = true};
    discriminator_.set_requires_grad(true);
    models::discriminator_loss_real(
        discriminator_, lpips_, nn::diff_augment(real_, numbers_[2], policy), part_, margins_[0])
        .total()
        .backward();
    models::FastGanImages fake = generator_.generate(z_);
    fake = {.big = nn::diff_augment(fake.big, numbers_[0], policy),
            .small = nn::diff_augment(fake.small, numbers_[1], policy)};
    models::discriminator_loss_fake(discriminator_, fake, margins_[1]).backward();
    adam_d_.step();
    discriminator_.zero_grad();

    discriminator_.set_requires_grad(false);
    models::generator_loss(discriminator_, fake).backward();
    adam_g_.step();
    generator_.zero_grad();
    average_.update();
  }

 private:
  static optim::AdamOptions adam() { return {.learning_rate = 2e-4, .beta1 = 0.5, .beta2 = 0.999}; }

  Generator random_{1};
  models::FastGanOptions options_;
  models::FastGanGenerator generator_;
  models::FastGanDiscriminator discriminator_;
  models::Lpips lpips_;
  optim::Adam adam_g_, adam_d_;
  optim::ExponentialMovingAverage average_;
  Tensor real_, z_, part_;
  Tensor margins_[2], numbers_[3];
};

void run(const Settings& s) {
  set_default_device(parse_device(s.device));
  Training training(s);
  const auto step = [&] {
    training.step();
    synchronize(default_device());
  };
  const double seconds = median_seconds(s.repeats, step, [] { return now(false); });
  std::printf("seconds %.4f  peak_MB %.1f\n", seconds, peak_megabytes());
}

}  // namespace
}  // namespace gestalt::bench

int main(int argc, char** argv) {
  gestalt::bench::Settings s;
  gestalt::bench::Flags flags(
      "fewshot_gan [--batch N] [--size N] [--sparse LEVELS] [--repeats N] [--threads N] [--device "
      "DEVICE]");
  flags.add("--batch", s.batch);
  flags.add("--size", s.size);
  flags.add("--sparse", s.sparse);
  flags.add("--repeats", s.repeats);
  flags.add("--device", s.device);
  return flags.run(argc, argv, 0, [&](const auto&) { gestalt::bench::run(s); });
}
