// One training step of FastGAN's networks without the optimizers, for tests/parity/fastgan.py.
// Usage: dump_fastgan GENERATOR DISCRIMINATOR INPUT.safetensors OUT.safetensors f32|f64 SIZE BASE
// SPARSE sigmoid|linear. INPUT holds `z`, `big` and `small`. OUT holds the outputs, the gradients
// of a loss of all of them (`g/<parameter>`, `d/<parameter>`) and the buffers after three forward
// passes.

#include <cstdlib>
#include <string>

#include "models/fastgan.h"
#include "tensor/autograd.h"
#include "tensor/io/checkpoint.h"
#include "tensor/ops/arithmetic.h"
#include "tensor/ops/reduce.h"
#include "tests/parity/dump_main.h"

using namespace gestalt;

namespace {

Tensor mean_square(const Tensor& x) {
  return mean(x * x);
}

void dump(char** arguments) {
  context({}).set_exact(true);
  const bool linear = std::string(arguments[9]) == "linear";
  const models::FastGanOptions options{
      .image_size = std::atoll(arguments[6]),
      .base_channels = std::atoll(arguments[7]),
      .sparse = models::parse_sparse_levels(arguments[8]),
      .excitation = linear ? models::Excitation::linear : models::Excitation::sigmoid};
  Generator random(0);
  models::FastGanGenerator generator(options, random);
  models::FastGanDiscriminator discriminator(options, random);
  generator.load_state_dict(load_weights(arguments[1]));
  discriminator.load_state_dict(load_weights(arguments[2]));
  const DType dtype = std::string(arguments[5]) == "f64" ? DType::f64 : DType::f32;
  generator.to(dtype);
  discriminator.to(dtype);

  Tensor z;
  models::FastGanImages real;
  for (const NamedTensor& entry : read_checkpoint(arguments[3]).tensors) {
    Tensor& to = entry.name == "z" ? z : entry.name == "big" ? real.big : real.small;
    to = entry.tensor.to(dtype);
  }
  const models::FastGanImages fake = generator.generate(z);
  const models::FastGanJudgement of_real = discriminator.judge_real(real, 2);
  const models::FastGanJudgement of_fake = discriminator.judge_fake(fake);
  const Tensor loss = mean_square(of_real.logits) + mean_square(of_real.whole) +
                      mean_square(of_real.small) + mean_square(of_real.part) - mean(of_fake.logits);
  loss.backward();
  StateDict out = {{"out/big", fake.big.detach()},        {"out/small", fake.small.detach()},
                   {"out/real", of_real.logits.detach()}, {"out/fake", of_fake.logits.detach()},
                   {"out/whole", of_real.whole.detach()}, {"out/rec_small", of_real.small.detach()},
                   {"out/part", of_real.part.detach()}};
  {
    const NoGradGuard no_grad;
    generator.generate(z);
    generator.generate(z);
  }
  tests::add_gradients("g/", generator, out);
  tests::add_buffers("g/", generator, out);
  tests::add_gradients("d/", discriminator, out);
  tests::add_buffers("d/", discriminator, out);
  write_safetensors(arguments[4], out);
}

}  // namespace

int main(int argc, char** argv) {
  return tests::dump_main(
      argc, argv, "dump_fastgan G D INPUT OUT f32|f64 SIZE BASE SPARSE sigmoid|linear", {9}, dump);
}
