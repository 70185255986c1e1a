#pragma once

#include "tools/training/options.h"

namespace gestalt::tools {

// Trains a classifier; returns the exit code. In OUTPUT/NAME: config.json, log.txt, the files of
// History::write, TensorBoard's event files, last.safetensors and best_<set>.safetensors (weights
// under the network's names), checkpoint.safetensors (what --resume goes on with).
int run_training(const TrainSettings& settings, const CommonOptions& common);

}  // namespace gestalt::tools
