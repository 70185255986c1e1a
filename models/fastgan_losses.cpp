#include "models/fastgan_losses.h"

#include "kernels/error.h"
#include "nn/autocast.h"
#include "nn/resize.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/shape.h"
#include "tensor/ops/unary.h"

namespace gestalt::models {
namespace {

Tensor hinge(const Tensor& given, const Tensor& margins, double sign) {
  const Tensor logits = nn::autocast_to_f32(given);
  GESTALT_CHECK(logits.shape() == margins.shape(),
                "[hinge_loss] expected margins of the logits' shape, got {} for {}", margins,
                logits);
  return mean(relu(margins.to(logits.dtype()) + logits * sign));
}

Tensor resized_like(const Tensor& images, const Tensor& reconstruction) {
  return nn::resize_nearest(images, {reconstruction.size(2), reconstruction.size(3)});
}

FastGanImages constant(const FastGanImages& images) {
  return {images.big.detach(), images.small.detach()};
}

}  // namespace

Tensor hinge_loss_real(const Tensor& logits, const Tensor& margins) {
  return hinge(logits, margins, -1);
}

Tensor hinge_loss_fake(const Tensor& logits, const Tensor& margins) {
  return hinge(logits, margins, 1);
}

Tensor reconstruction_loss(const Lpips& lpips, const FastGanJudgement& judgement,
                           const Tensor& images, const Tensor& part) {
  const auto target_like = [&](const Tensor& target, const Tensor& reconstruction) {
    const NoGradGuard no_grad;
    return lpips.activations(resized_like(target, reconstruction));
  };
  // The whole and the small picture are reconstructions of the same; and one pass over all costs
  // less than one each.
  LpipsActivations target = target_like(images, judgement.whole);
  const Tensor whole = lpips.summed_distance(judgement.whole, target);
  const Tensor small = lpips.summed_distance(judgement.small, target);
  target = target_like(quarter(images, part), judgement.part);
  return whole + small + lpips.summed_distance(judgement.part, target);
}

Tensor FastGanRealLoss::total() const {
  return hinge + reconstruction;
}

FastGanRealLoss discriminator_loss_real(FastGanDiscriminator& discriminator, const Lpips& lpips,
                                        const Tensor& real, const Tensor& part,
                                        const Tensor& margins) {
  const Tensor images = real.detach();
  const FastGanJudgement judgement = discriminator.judge_real(both_sizes(images), part);
  return {.hinge = hinge_loss_real(judgement.logits, margins),
          .reconstruction = reconstruction_loss(lpips, judgement, images, part),
          .mean_logit = mean(nn::autocast_to_f32(judgement.logits.detach()))};
}

Tensor discriminator_loss_fake(FastGanDiscriminator& discriminator, const FastGanImages& fake,
                               const Tensor& margins) {
  return hinge_loss_fake(discriminator.judge_fake(constant(fake)).logits, margins);
}

Tensor generator_loss(FastGanDiscriminator& discriminator, const FastGanImages& fake) {
  return -mean(nn::autocast_to_f32(discriminator.judge_fake(fake).logits));
}

FastGanImages both_sizes(const Tensor& images) {
  const int64_t small = small_size(images.size(2));
  return {.big = images, .small = nn::resize_nearest(images, {small, small})};
}

}  // namespace gestalt::models
