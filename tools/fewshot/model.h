#pragma once

// What a GAN's training changes: generator and discriminator, their optimizers, and the moving
// average of the generator's weights.

#include <memory>

#include "models/fastgan.h"
#include "models/fastgan_checkpoint.h"
#include "optim/adam.h"
#include "optim/ema.h"
#include "tensor/random.h"

namespace gestalt::tools {

class GanModel {
 public:
  // Random weights of `seed`, on the default device.
  GanModel(const models::FastGanOptions& options, uint64_t seed, double learning_rate);

  models::FastGanGenerator& generator() { return *generator_; }
  models::FastGanDiscriminator& discriminator() { return *discriminator_; }
  optim::Adam& generator_optimizer() { return generator_optimizer_; }
  optim::Adam& discriminator_optimizer() { return discriminator_optimizer_; }
  optim::ExponentialMovingAverage& average() { return average_; }
  const models::FastGanOptions& options() const { return options_; }

  // The averaged generator: the averages under the parameters' names, and the generator's buffers.
  StateDict averaged() const;

  // As models/fastgan_checkpoint.h names our own form, without `iter`; shares memory.
  StateDict state_dict() const;
  // In place: a captured step goes on with what is loaded. What the file lacks of average and
  // optimizers begins anew. Throws Error where it is of another network, naming the setting and its
  // flag, or has no such tensors.
  void load(const models::FastGanCheckpoint& checkpoint);

  // Moves every parameter by U(-epsilon, epsilon).
  void perturb(double generator_epsilon, double discriminator_epsilon, Generator& random);

 private:
  StateDict averages() const;  // by the parameters' names
  void load_average(const StateDict& average);

  models::FastGanOptions options_;
  std::shared_ptr<models::FastGanGenerator> generator_;
  std::shared_ptr<models::FastGanDiscriminator> discriminator_;
  optim::Adam generator_optimizer_, discriminator_optimizer_;
  optim::ExponentialMovingAverage average_;
};

}  // namespace gestalt::tools
