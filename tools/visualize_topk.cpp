// Visualization of what Top-K keeps (docs/visualize_topk.md).

#include "tools/synthesis/experiment.h"

int main(int argc, char** argv) {
  gestalt::tools::Tool tool("visualize_topk",
                            "Optimizes images until VGG-19's activations match those of others "
                            "after Top-K: what is left\n"
                            "of an image in its strongest activations, or without them.");
  gestalt::tools::SynthesisSettings settings;
  settings.objective = gestalt::models::SynthesisObjective::activation;
  settings.steps = 1;
  settings.learning_rate = 10;
  gestalt::tools::add_synthesis_flags(tool, settings);
  return tool.run(argc, argv, [&] {
    return gestalt::tools::run_synthesis("visualize_topk", settings, tool.common());
  });
}
