#include "models/adain_loss.h"

#include <algorithm>

#include "kernels/error.h"
#include "models/adain.h"
#include "nn/loss.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/shape.h"

namespace gestalt::models {
namespace {

bool are_images(const Tensor& x) {
  return x.rank() == 4 && x.size(1) == 3 && std::min(x.size(2), x.size(3)) >= adain_least_side;
}

}  // namespace

StylizationLoss stylization_loss(nn::Sequential& encoder, nn::Sequential& decoder,
                                 const Tensor& content, const Tensor& style) {
  GESTALT_CHECK(are_images(content) && content.shape() == style.shape(),
                "[stylization_loss] expected content and style of one shape [N,3,H,W], H and W at "
                "least {}, got {} and {}",
                adain_least_side, content, style);
  Tensor target;
  std::vector<nn::ChannelStats> style_stats;
  {
    const NoGradGuard no_grad;
    for (const Tensor& features : encoder.forward_taps(style, adain_taps)) {
      style_stats.push_back(nn::channel_stats(features));
    }
    target = nn::adain(encoder(content), style_stats.back());
  }
  const std::vector<Tensor> made = encoder.forward_taps(decoder(target), adain_taps);
  StylizationLoss loss;
  loss.content = nn::mse_loss(made.back(), target);
  for (size_t i = 0; i < made.size(); ++i) {
    const nn::ChannelStats stats = nn::channel_stats(made[i]);
    const Tensor term = nn::mse_loss(stats.mean, style_stats[i].mean) +
                        nn::mse_loss(stats.deviation, style_stats[i].deviation);
    loss.style = i == 0 ? term : loss.style + term;
  }
  return loss;
}

Tensor reconstruction_loss(nn::Sequential& encoder, nn::Sequential& decoder, const Tensor& images) {
  GESTALT_CHECK(are_images(images),
                "[reconstruction_loss] expected images [N,3,H,W], H and W at least {}, got {}",
                adain_least_side, images);
  Tensor features;
  {
    const NoGradGuard no_grad;
    features = encoder(images);
  }
  const Tensor made = decoder(features);  // sides are rounded up to a multiple of 8
  return nn::mse_loss(narrow(narrow(made, 2, 0, images.size(2)), 3, 0, images.size(3)), images);
}

}  // namespace gestalt::models
