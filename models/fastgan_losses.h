#pragma once

// The losses of FastGAN's training as the published code has them. Every random number is an
// argument, on the device of the images, so that a captured step can hold a loss:
//   margins  U(0.8, 1), the shape of the logits: Generator::fill_uniform(margins, 0.8, 1)
//   part     U(0, 1), f32 [2]: which quarter is reconstructed by itself (quarter in fastgan.h)
// Results have one element, f32 (f64 for f64 images), under nn::AutocastGuard too.
//
// None of the published Top-K policies that there are here (TopKMaskHW, TopKMaskHWMeanReplace,
// IdentityBase) has a sparse loss, so the generator's loss has no such term.

#include "models/fastgan.h"
#include "models/lpips.h"

namespace gestalt::models {

// mean(relu(margin - logits)) and mean(relu(margin + logits)).
Tensor hinge_loss_real(const Tensor& logits, const Tensor& margins);
Tensor hinge_loss_fake(const Tensor& logits, const Tensor& margins);

// LPIPS of the three reconstructions of `judgement` against `images` [N,3,S,S] (the big pictures
// that were judged), each summed over N: targets are resized to the reconstruction (nearest); that
// of judgement.part is the quarter. Gradients to the reconstructions.
Tensor reconstruction_loss(const Lpips& lpips, const FastGanJudgement& judgement,
                           const Tensor& images, const Tensor& part);

// The discriminator's losses: hinge, and for real images the reconstruction. `real` and `fake` as
// the discriminator sees them, augmented; the gradient to the generator is stopped.
struct FastGanRealLoss {
  Tensor hinge, reconstruction;
  Tensor mean_logit;  // no loss: what the published code logs as its own
  Tensor total() const;
};
FastGanRealLoss discriminator_loss_real(FastGanDiscriminator& discriminator, const Lpips& lpips,
                                        const Tensor& real, const Tensor& part,
                                        const Tensor& margins);
Tensor discriminator_loss_fake(FastGanDiscriminator& discriminator, const FastGanImages& fake,
                               const Tensor& margins);

// -mean(logits) of what the discriminator says of the generator's images.
Tensor generator_loss(FastGanDiscriminator& discriminator, const FastGanImages& fake);

// [N,3,S,S] to the two sizes that the discriminator takes (nearest).
FastGanImages both_sizes(const Tensor& images);

}  // namespace gestalt::models
