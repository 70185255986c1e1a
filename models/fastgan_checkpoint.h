#pragma once

// Checkpoints of FastGAN's training, read from two forms:
//   the published code's, a PyTorch file {'g', 'd', 'g_ema', 'opt_g', 'opt_d', 'iter', ...}: state
//   dicts of both networks, the average as a list in the order of the generator's parameters,
//   torch.optim.Adam's states. The blocks of the generator have numbers for names there, or up1,
//   conv1, bn1 ..., with noise weights or without; "module." is stripped. Neither where the network
//   was sparse nor its excitation is in the file; the latter is that of the code which the file
//   seems to be from: FastGAN's own, or with Top-K, whose files have `iter`, `performance` or
//   blocks with names;
//   our own, safetensors with fastgan_metadata(): g.NAME, d.NAME, g_ema.NAME, opt_g.* and opt_d.*
//   of optim::Adam, iter (i64 [1]), and whatever else a trainer keeps.

#include <optional>
#include <string>

#include "models/fastgan.h"
#include "tensor/io/safetensors.h"
#include "tensor/state_dict.h"

namespace gestalt::models {

struct FastGanCheckpoint {
  std::string path;  // of the file that was read, for messages
  FastGanOptions options;
  bool sparsity_known = true;  // the published form does not tell it
  // Without, options.excitation is the likely one: of the published code that wrote the file.
  bool excitation_known = true;
  StateDict generator, discriminator;
  StateDict average;  // of the generator's parameters; empty where the file has none
  // Of optim::Adam; parameters are named, or numbered as optim does. Empty where the file has none.
  StateDict generator_optimizer, discriminator_optimizer;
  int64_t iterations = 0;
  StateDict other;  // our own form alone
};

// Throws Error naming the file: what it lacks, or that it is no such checkpoint.
FastGanCheckpoint read_fastgan_checkpoint(const std::string& path);

// What marks a safetensors file as our own form, and tells the settings.
Metadata fastgan_metadata(const FastGanOptions& options);

// The first setting that is another in the checkpoint than here; names and values are those of
// fastgan_metadata(). What the checkpoint does not tell is no difference.
struct FastGanDifference {
  // im_size, nz, noise, base_channels, excitation, sparse_hw_info, sp_hw_policy_name
  std::string setting;
  std::string there, here;
};
std::optional<FastGanDifference> first_difference(const FastGanCheckpoint& checkpoint,
                                                  const FastGanOptions& options);

// The generator with its average for parameters, as load_state_dict takes it. Throws Error where
// the file has no average.
StateDict averaged_generator(const FastGanCheckpoint& checkpoint);

// An optimizer's state for optim::Adam: parameters by their number in the network. Throws Error
// where one is not there.
StateDict optimizer_by_number(const StateDict& state, const nn::Module& network);

}  // namespace gestalt::models
