#pragma once

#include <string>

#include "tools/synthesis/options.h"

namespace gestalt::tools {

// The whole of synthesize_texture and visualize_topk; they differ in `settings.objective` and in
// defaults. Writes to settings.output: seed_{seed}_{image}.jpg, losses.csv, losses.png,
// config.json, log.txt, and checkpoints/ while it runs. Returns the exit code.
int run_synthesis(const std::string& tool, const SynthesisSettings& settings,
                  const CommonOptions& common);

}  // namespace gestalt::tools
