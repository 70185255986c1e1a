// Texture synthesis with Top-K (docs/synthesize_texture.md).

#include "tools/synthesis/experiment.h"

int main(int argc, char** argv) {
  gestalt::tools::Tool tool(
      "synthesize_texture",
      "Makes images with the texture statistics of others: matches the Gram matrices of VGG-19's\n"
      "activations, all of them or the Top-K or the rest (Gatys et al. 2015, with Top-K).");
  gestalt::tools::SynthesisSettings settings;
  gestalt::tools::add_synthesis_flags(tool, settings);
  return tool.run(argc, argv, [&] {
    return gestalt::tools::run_synthesis("synthesize_texture", settings, tool.common());
  });
}
