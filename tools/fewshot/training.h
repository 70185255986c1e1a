#pragma once

#include "tools/fewshot/options.h"

namespace gestalt::tools {

// Trains a few-shot GAN; returns the exit code. What it leaves in OUTPUT/NAME is listed in
// docs/train_fewshot_gan.md.
int run_fewshot_training(const FewshotSettings& settings, const CommonOptions& common);

}  // namespace gestalt::tools
