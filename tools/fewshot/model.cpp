#include "tools/fewshot/model.h"

#include "kernels/error.h"
#include "nn/weight_format.h"
#include "optim/state.h"
#include "tensor/autograd.h"
#include "tensor/ops/arithmetic.h"
#include "tools/fewshot/check_fits.h"

namespace gestalt::tools {
namespace {

optim::AdamOptions adam_options(double learning_rate) {
  return {.learning_rate = learning_rate, .beta1 = 0.5, .beta2 = 0.999};
}

constexpr double average_decay = 0.999;

void load_optimizer(optim::Adam& optimizer, const StateDict& state, const nn::Module& network) {
  if (!state.empty()) optimizer.load_state_dict(models::optimizer_by_number(state, network));
}

template <class Network>
std::shared_ptr<Network> make_network(const models::FastGanOptions& options, uint64_t seed) {
  Generator random(seed);
  auto network = std::make_shared<Network>(options, random);
  nn::set_weight_format(*network, options.format);
  return network;
}

void move(nn::Module& network, double epsilon, Generator& random) {
  for (Tensor& parameter : network.parameters()) {
    const TensorOptions options = parameter.options();
    add_in_place(parameter, random.uniform(parameter.shape(), -epsilon, epsilon, options));
  }
}

}  // namespace

GanModel::GanModel(const models::FastGanOptions& options, uint64_t seed, double learning_rate)
    : options_(options),
      generator_(make_network<models::FastGanGenerator>(options, seed)),
      discriminator_(
          make_network<models::FastGanDiscriminator>(options, seed ^ 0x6469736372696D00)),
      generator_optimizer_(generator_->parameters(), adam_options(learning_rate)),
      discriminator_optimizer_(discriminator_->parameters(), adam_options(learning_rate)),
      average_(generator_->parameters(), average_decay) {}

StateDict GanModel::averages() const {
  StateDict state;
  const auto names = generator_->named_parameters();
  for (size_t i = 0; i < names.size(); ++i) {
    state.push_back({names[i].name, average_.averages()[i]});
  }
  return state;
}

StateDict GanModel::averaged() const {
  StateDict state = averages();
  for (const auto& buffer : generator_->named_buffers()) {
    state.push_back({buffer.name, *buffer.tensor});
  }
  return state;
}

StateDict GanModel::state_dict() const {
  StateDict state;
  add_part(state, "g.", generator_->state_dict());
  add_part(state, "d.", discriminator_->state_dict());
  add_part(state, "g_ema.", averages());
  add_part(state, "opt_g.", generator_optimizer_.state_dict());
  add_part(state, "opt_d.", discriminator_optimizer_.state_dict());
  return state;
}

void GanModel::load(const models::FastGanCheckpoint& checkpoint) {
  check_fits(checkpoint, options_);
  try {
    discriminator_->load_state_dict(checkpoint.discriminator);
    generator_->load_state_dict(checkpoint.generator);
    load_average(checkpoint.average);
    load_optimizer(generator_optimizer_, checkpoint.generator_optimizer, *generator_);
    load_optimizer(discriminator_optimizer_, checkpoint.discriminator_optimizer, *discriminator_);
  } catch (const Error& error) {
    throw Error(format("'{}': {}", checkpoint.path, error.what()));
  }
}

void GanModel::load_average(const StateDict& average) {
  const NoGradGuard no_grad;
  const auto parameters = generator_->named_parameters();
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor* from = average.empty() ? parameters[i].tensor
                                         : &optim::require("g_ema", average, parameters[i].name);
    GESTALT_CHECK(from->shape() == parameters[i].tensor->shape(), "[g_ema] '{}' must be {}, is {}",
                  parameters[i].name, parameters[i].tensor->shape(), *from);
    average_.averages()[i].copy_(from->detach());
  }
}

void GanModel::perturb(double generator_epsilon, double discriminator_epsilon, Generator& random) {
  const NoGradGuard no_grad;
  move(*generator_, generator_epsilon, random);
  move(*discriminator_, discriminator_epsilon, random);
}

}  // namespace gestalt::tools
