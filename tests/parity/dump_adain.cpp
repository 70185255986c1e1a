// AdaIN's networks on one content and one style, and the decoder's training loss with its gradients
// (f64) on a batch, for tests/parity/adain.py.
// Usage: dump_adain ENCODER DECODER IMAGES.safetensors OUT.safetensors ALPHA

#include <cstdlib>

#include "models/adain.h"
#include "models/adain_loss.h"
#include "tensor/autograd.h"
#include "tensor/io/checkpoint.h"
#include "tensor/io/safetensors.h"
#include "tensor/ops/arithmetic.h"
#include "tests/parity/dump_main.h"

using namespace gestalt;

namespace {

// Losses and gradients of one training step; leaves the networks in f64.
StateDict training_step(nn::Sequential& encoder, nn::Sequential& decoder, const Tensor& content,
                        const Tensor& style) {
  encoder.set_requires_grad(false);
  encoder.to(DType::f64);
  decoder.to(DType::f64);
  const models::StylizationLoss loss =
      models::stylization_loss(encoder, decoder, content.to(DType::f64), style.to(DType::f64));
  (loss.content + loss.style * 10).backward();
  StateDict out = {{"loss/content", loss.content.detach()}, {"loss/style", loss.style.detach()}};
  tests::add_gradients("gradient/", decoder, out);
  return out;
}

void dump(char** arguments) {
  context({}).set_exact(true);
  Generator generator(0);
  const auto encoder = models::make_adain_encoder(generator);
  const auto decoder = models::make_adain_decoder(generator);
  encoder->load_state_dict(models::adain_encoder_weights(load_weights(arguments[1])));
  decoder->load_state_dict(load_weights(arguments[2]));
  const StateDict images = read_checkpoint(arguments[3]).tensors;
  const Tensor content = tests::named(images, "content"), style = tests::named(images, "style");
  StateDict out;
  {
    const NoGradGuard no_grad;
    const Tensor features = (*encoder)(content), style_features = (*encoder)(style);
    const models::Stylizer stylizer(encoder, decoder);
    const double alpha = std::atof(arguments[5]);
    out = {{"content_features", features},
           {"style_features", style_features},
           {"adain", nn::adain(features, style_features)},
           {"decoded", (*decoder)(features)},
           {"stylized", stylizer.stylize(content, stylizer.style(style), alpha)},
           {"tiled", stylizer.stylize_tiled(content, stylizer.style(style), alpha, 64)}};
  }
  const StateDict step = training_step(*encoder, *decoder, tests::named(images, "contents"),
                                       tests::named(images, "styles"));
  out.insert(out.end(), step.begin(), step.end());
  write_safetensors(arguments[4], out);
}

}  // namespace

int main(int argc, char** argv) {
  return tests::dump_main(argc, argv, "dump_adain ENCODER DECODER IMAGES OUT ALPHA", {5}, dump);
}
