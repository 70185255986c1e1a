#pragma once

// One step of FastGAN's training: the discriminator learns from a batch of real and one of
// generated images, then the generator from what the discriminator says of the latter, then the
// moving average follows.
//
// On the device a step waits for nothing; its losses stay there until somebody reads them. With
// `capture` the kernels of a step are recorded once and replayed (tensor/graph.h), to the same
// bits. Adam's steps stay outside of the recording, since their count is a host value, and so do
// the random numbers, which are drawn into fixed tensors before.

#include <array>
#include <optional>

#include "models/fastgan.h"
#include "models/lpips.h"
#include "tensor/graph.h"
#include "tools/fewshot/model.h"

namespace gestalt::tools {

struct GanStepOptions {
  int64_t batch_size = 8;
  uint64_t seed = 0;
  bool capture = false;      // not with noise injection, whose numbers the host draws
  DType dtype = DType::f32;  // bf16: mixed precision (nn/autocast.h); weights and losses stay f32
};

// What a step tells, in this order: its losses, and the mean logit of real images, which is none.
inline constexpr std::array<const char*, 5> gan_value_names = {
    "loss_d_real", "loss_d_reconstruction", "loss_d_fake", "loss_g", "mean_logit_real"};
inline constexpr int64_t gan_values = static_cast<int64_t>(gan_value_names.size());
inline constexpr int64_t gan_losses = 4;  // the first of them

class GanStep {
 public:
  GanStep(GanModel& model, models::Lpips perceptual, const GanStepOptions& options);

  // u8 [B,3,S,S]: the real images of a step, which the caller fills in before it (FewshotImages).
  Tensor& batch() { return batch_; }
  // Step number `step`, from 0, on the device's queue.
  void run(int64_t step);
  // f32 [gan_values], overwritten by each step: the hinge loss of real images, the three
  // reconstructions, the hinge loss of generated images, the generator's loss; the mean logit.
  const Tensor& values() const { return values_; }

 private:
  void train_discriminator();
  void judge_for_generator();
  void store_value(int64_t place, const Tensor& value);
  void capture();

  GanModel& model_;
  models::Lpips perceptual_;
  GanStepOptions options_;

  // Inputs of a step, filled before it.
  Tensor batch_;                                       // u8 [B,3,S,S]
  Tensor latent_;                                      // [B,nz]
  Tensor margins_real_, margins_fake_;                 // the logits' shape
  Tensor quarter_choice_;                              // [2]
  Tensor augment_real_, augment_big_, augment_small_;  // [B,7]

  // From the discriminator's part to the generator's; recorded steps keep it for good.
  models::FastGanImages fake_;
  Tensor values_;
  std::optional<CapturedGraph> discriminator_pass_, generator_pass_, average_update_;
};

// For NoiseInjection layers: their noise from here on is that of (seed, place).
void seed_noise(nn::Module& network, uint64_t seed, int64_t place);

// u8 pixels to f32 [-1, 1], as ToTensor and Normalize(0.5, 0.5) do it.
Tensor to_symmetric(const Tensor& pixels);

}  // namespace gestalt::tools
