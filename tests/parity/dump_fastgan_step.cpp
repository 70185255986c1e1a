// Three training steps of FastGAN, for tests/parity/fastgan_step.py.
// Usage: dump_fastgan_step GENERATOR DISCRIMINATOR PERCEPTUAL INPUT.safetensors OUT.safetensors
// f32|f64 SIZE BASE SPARSE. PERCEPTUAL holds the features of VGG-16, every width divided by the
// same number, and lin0.model.1.weight ...; INPUT `real` and, a step, `S.z`, `S.margins_real`,
// `S.margins_fake`, `S.part`, `S.augment_real`, `S.augment_big`, `S.augment_small`. OUT: the losses
// of each step (`S.hinge_real` ...), the gradients of the first (`g/...`, `d/...`), spectral norm's
// vectors and the average after the last, and DiffAugment with cutout of `real`, with its
// gradient.

#include <cstdlib>
#include <map>
#include <string>

#include "models/fastgan_losses.h"
#include "nn/diff_augment.h"
#include "optim/adam.h"
#include "optim/ema.h"
#include "tensor/autograd.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/unary.h"
#include "tests/parity/dump_main.h"

using namespace gestalt;

namespace {

using Tensors = std::map<std::string, Tensor>;

std::shared_ptr<nn::Sequential> make_features(const Tensors& weights) {
  Generator random(0);
  auto features = std::make_shared<nn::Sequential>();
  int64_t channels = 3;
  const auto add = [&](std::shared_ptr<nn::Module> layer) {
    features->add(std::to_string(features->children().size()), std::move(layer));
  };
  for (const int convolutions : {2, 2, 3, 3, 3}) {
    if (channels > 3) add(std::make_shared<nn::MaxPool2d>(Pool2dDesc{}));
    for (int i = 0; i < convolutions; ++i) {
      const int64_t outputs =
          weights.at(std::to_string(features->children().size()) + ".weight").size(0);
      add(std::make_shared<nn::Conv2d>(nn::Conv2dOptions{.in_channels = channels,
                                                         .out_channels = outputs,
                                                         .kernel = {3, 3},
                                                         .desc = {.padding = {1, 1}}},
                                       random));
      add(std::make_shared<nn::ReLU>());
      channels = outputs;
    }
  }
  return features;
}

void dump(char** arguments) {
  context({}).set_exact(true);
  const DType dtype = std::string(arguments[6]) == "f64" ? DType::f64 : DType::f32;
  const models::FastGanOptions options{.image_size = std::atoll(arguments[7]),
                                       .base_channels = std::atoll(arguments[8]),
                                       .sparse = models::parse_sparse_levels(arguments[9])};
  Generator random(0);
  models::FastGanGenerator generator(options, random);
  models::FastGanDiscriminator discriminator(options, random);
  generator.load_state_dict(load_weights(arguments[1]));
  discriminator.load_state_dict(load_weights(arguments[2]));
  generator.to(dtype);
  discriminator.to(dtype);

  Tensors perceptual, input;
  StateDict of_features, linear;
  for (const NamedTensor& entry : read_checkpoint(arguments[3]).tensors) {
    perceptual[entry.name] = entry.tensor;
    (entry.name.starts_with("lin") ? linear : of_features).push_back(entry);
  }
  const auto features = make_features(perceptual);
  features->load_state_dict(of_features);
  features->to(dtype);
  const models::Lpips lpips("vgg16", features, linear);
  for (const NamedTensor& entry : read_checkpoint(arguments[4]).tensors) {
    input[entry.name] = entry.tensor;
  }

  const optim::AdamOptions adam{.learning_rate = 2e-4, .beta1 = 0.5, .beta2 = 0.999};
  optim::Adam optimizer_g(generator.parameters(), adam),
      optimizer_d(discriminator.parameters(), adam);
  optim::ExponentialMovingAverage average(generator.parameters(), 0.999);
  const nn::DiffAugmentPolicy policy{.color = true, .translation = true};
  const Tensor real = input.at("real").to(dtype);
  StateDict out;
  for (int step = 0; step < 3; ++step) {
    const std::string at = std::to_string(step) + '.';
    const auto given = [&](const char* name) { return input.at(at + name); };
    const Tensor augmented = nn::diff_augment(real, given("augment_real"), policy);
    models::FastGanImages fake = generator.generate(given("z").to(dtype));
    fake = {.big = nn::diff_augment(fake.big, given("augment_big"), policy),
            .small = nn::diff_augment(fake.small, given("augment_small"), policy)};
    optimizer_d.zero_grad();
    const models::FastGanRealLoss of_real = models::discriminator_loss_real(
        discriminator, lpips, augmented, given("part"), given("margins_real"));
    of_real.total().backward();
    const Tensor of_fake =
        models::discriminator_loss_fake(discriminator, fake, given("margins_fake"));
    of_fake.backward();
    if (step == 0) tests::add_gradients("d/", discriminator, out);
    optimizer_d.step();
    optimizer_g.zero_grad();
    const Tensor loss = models::generator_loss(discriminator, fake);
    loss.backward();
    if (step == 0) tests::add_gradients("g/", generator, out);
    optimizer_g.step();
    average.update();
    out.push_back({at + "hinge_real", of_real.hinge.detach()});
    out.push_back({at + "reconstruction", of_real.reconstruction.detach()});
    out.push_back({at + "hinge_fake", of_fake.detach()});
    out.push_back({at + "generator", loss.detach()});
  }
  tests::add_buffers("buffers/g/", generator, out);
  tests::add_buffers("buffers/d/", discriminator, out);
  const auto names = generator.named_parameters();
  for (size_t i = 0; i < names.size(); ++i) {
    out.push_back({"average/" + names[i].name, average.averages()[i]});
  }

  Tensor x = real.clone().set_requires_grad(true);
  const Tensor y = nn::diff_augment(x, input.at("0.augment_real"),
                                    {.color = true, .translation = true, .cutout = true});
  sum(y * y * y).backward();
  out.push_back({"augmented", y.detach()});
  out.push_back({"augmented_gradient", x.grad()});
  write_safetensors(arguments[5], out);
}

}  // namespace

int main(int argc, char** argv) {
  return tests::dump_main(
      argc, argv, "dump_fastgan_step G D VGG INPUT OUT f32|f64 SIZE BASE SPARSE", {9}, dump);
}
