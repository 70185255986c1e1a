// Trains the decoder of stylize_images (docs/train_stylizer.md).

#include "tools/stylize/training.h"

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  TrainStylizerSettings settings;
  Tool tool(
      "train_stylizer",
      "Trains AdaIN's decoder (Huang and Belongie 2017): it makes pictures of features that have\n"
      "the content of one picture and the statistics of another. stylize_images uses it.");
  add_train_stylizer_flags(tool, settings);
  return tool.run(argc, argv, [&] { return run_stylizer_training(settings, tool.common()); });
}
