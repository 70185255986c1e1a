// Trains FastGAN, with Top-K where you say, on a hundred images or so (docs/train_fewshot_gan.md).

#include "tools/fewshot/training.h"

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  FewshotSettings settings;
  Tool tool("train_fewshot_gan",
            "Trains a generator of images on a folder of few, with Top-K where you say: FastGAN\n"
            "with FID and KID as it goes.");
  add_fewshot_flags(tool, settings);
  return tool.run(argc, argv, [&] { return run_fewshot_training(settings, tool.common()); });
}
