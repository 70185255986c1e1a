#pragma once

#include "tools/stylize/train_options.h"

namespace gestalt::tools {

// Trains AdaIN's decoder; returns the exit code. In OUTPUT/NAME: config.json, log.txt, metrics.csv,
// curves, TensorBoard's event files, samples/step_*.jpg, decoder.safetensors (the weights as they
// stand, for stylize_images) and checkpoint.safetensors (what --resume goes on with).
int run_stylizer_training(const TrainStylizerSettings& settings, const CommonOptions& common);

}  // namespace gestalt::tools
