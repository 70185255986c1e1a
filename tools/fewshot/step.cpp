#include "tools/fewshot/step.h"

#include "kernels/error.h"
#include "models/fastgan_losses.h"
#include "nn/autocast.h"
#include "nn/diff_augment.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"
#include "tools/fewshot/random.h"

namespace gestalt::tools {
namespace {

// The published policy.
constexpr nn::DiffAugmentPolicy augmentation = {.color = true, .translation = true};

int64_t logits_of(models::FastGanDiscriminator& discriminator, int64_t size) {
  const NoGradGuard no_grad;
  discriminator.eval();
  const models::FastGanImages images = models::both_sizes(Tensor::zeros({1, 3, size, size}));
  const int64_t count = discriminator.judge_fake(images).logits.numel();
  discriminator.train();
  return count;
}

std::vector<Tensor> buffers_of(const nn::Module& network) {
  std::vector<Tensor> buffers;
  for (const nn::Module::Named& each : network.named_buffers()) buffers.push_back(*each.tensor);
  return buffers;
}

}  // namespace

void seed_noise(nn::Module& network, uint64_t seed, int64_t place) {
  uint64_t layer = 0;
  for (const nn::Module::NamedModule& entry : network.named_modules()) {
    if (auto* noise = dynamic_cast<models::fastgan::NoiseInjection*>(entry.module)) {
      const PhiloxState state = random_stream(seed, Stream::noise, place).state();
      noise->generator().set_state({state.seed, state.offset + (++layer << 16)});
    }
  }
}

Tensor to_symmetric(const Tensor& pixels) {
  // By true division, as ToTensor's; a division by 0.5 is a product with 2, exactly.
  return (divide(pixels.to(DType::f32), 255) + -0.5) * 2.0;
}

GanStep::GanStep(GanModel& model, models::Lpips perceptual, const GanStepOptions& options)
    : model_(model), perceptual_(std::move(perceptual)), options_(options) {
  const models::FastGanOptions& network = model.options();
  GESTALT_CHECK(!options.capture || !network.noise,
                "a step with noise injection can't be recorded: the host draws the noise");
  perceptual_.prepare(network.format, options.dtype);
  const int64_t n = options.batch_size, size = network.image_size;
  const int64_t logits = n * logits_of(model.discriminator(), size);
  batch_ = Tensor::empty({n, 3, size, size}, {.dtype = DType::u8});
  latent_ = Tensor::empty({n, network.latent_size});
  margins_real_ = Tensor::empty({logits});
  margins_fake_ = Tensor::empty({logits});
  quarter_choice_ = Tensor::empty({2});
  augment_real_ = Tensor::empty({n, nn::diff_augment_numbers});
  augment_big_ = Tensor::empty({n, nn::diff_augment_numbers});
  augment_small_ = Tensor::empty({n, nn::diff_augment_numbers});
  values_ = Tensor::zeros({gan_values});
}

void GanStep::run(int64_t step) {
  Generator random = random_stream(options_.seed, Stream::step, step);
  random.fill_normal(latent_, 0, 1);
  for (Tensor* margins : {&margins_real_, &margins_fake_}) random.fill_uniform(*margins, 0.8, 1);
  for (Tensor* numbers : {&quarter_choice_, &augment_real_, &augment_big_, &augment_small_}) {
    random.fill_uniform(*numbers, 0, 1);
  }
  seed_noise(model_.generator(), options_.seed, step);

  const nn::AutocastGuard autocast(options_.dtype);
  if (options_.capture) {
    if (!discriminator_pass_) capture();
    discriminator_pass_->replay();
    model_.discriminator_optimizer().step();
    generator_pass_->replay();
    model_.generator_optimizer().step();
    average_update_->replay();
    return;
  }
  // Gradients are let go as soon as they are used: each network's would lie beside the other's
  // pass.
  train_discriminator();
  model_.discriminator_optimizer().step();
  model_.discriminator().zero_grad();
  judge_for_generator();
  model_.generator_optimizer().step();
  model_.generator().zero_grad();
  model_.average().update();
  fake_ = {};
}

void GanStep::store_value(int64_t place, const Tensor& value) {
  narrow(values_, 0, place, 1).copy_(reshape(value.detach(), {1}));
}

void GanStep::train_discriminator() {
  fake_ = {};  // a recorded step takes its memory again
  models::FastGanDiscriminator& discriminator = model_.discriminator();
  discriminator.set_requires_grad(true);
  discriminator.zero_grad();

  const Tensor real = nn::diff_augment(to_symmetric(batch_).contiguous(model_.options().format),
                                       augment_real_, augmentation);
  const models::FastGanRealLoss of_real = models::discriminator_loss_real(
      discriminator, perceptual_, real, quarter_choice_, margins_real_);
  store_value(0, of_real.hinge);
  store_value(1, of_real.reconstruction);
  store_value(4, of_real.mean_logit);
  of_real.total().backward();

  // Behind the larger half of the work: the way back through the generator is kept from here on.
  const models::FastGanImages generated = model_.generator().generate(latent_);
  const Tensor big = nn::autocast_to_f32(generated.big);
  const Tensor small = nn::autocast_to_f32(generated.small);
  fake_ = {nn::diff_augment(big, augment_big_, augmentation),
           nn::diff_augment(small, augment_small_, augmentation)};
  const Tensor of_fake = models::discriminator_loss_fake(discriminator, fake_, margins_fake_);
  store_value(2, of_fake);
  of_fake.backward();
}

void GanStep::judge_for_generator() {
  model_.discriminator().set_requires_grad(false);
  model_.generator().zero_grad();
  // The way back is cut at the images: a recorded step walks the generator's tape, which belongs to
  // the recording of the discriminator's part, more than once.
  models::FastGanImages judged = {fake_.big.detach(), fake_.small.detach()};
  judged.big.set_requires_grad(true);
  judged.small.set_requires_grad(true);
  const Tensor loss = models::generator_loss(model_.discriminator(), judged);
  store_value(3, loss);
  loss.backward();
  const std::array<Tensor, 2> outputs = {fake_.big, fake_.small};
  const std::array<Tensor, 2> gradients = {judged.big.grad(), judged.small.grad()};
  backward(outputs, gradients, {.retain_graph = options_.capture});
}

void GanStep::capture() {
  const Device device = latent_.device();
  const std::vector<Tensor> of_discriminator = buffers_of(model_.discriminator());
  std::vector<Tensor> of_both = buffers_of(model_.generator());
  of_both.insert(of_both.end(), of_discriminator.begin(), of_discriminator.end());
  discriminator_pass_.emplace(
      device, [this] { train_discriminator(); }, CaptureOptions{.restored = of_both});
  // Not the generator's, which the tape of the discriminator's pass may keep.
  generator_pass_.emplace(
      device, [this] { judge_for_generator(); }, CaptureOptions{.restored = of_discriminator});
  average_update_.emplace(
      device, [this] { model_.average().update(); },
      CaptureOptions{.restored = model_.average().averages()});
}

}  // namespace gestalt::tools
