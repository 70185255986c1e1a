// Trains a classifier with Top-K layers, and evaluates it on any number of sets
// (docs/train_classifier.md).

#include "tools/training/evaluation.h"
#include "tools/training/training.h"

int main(int argc, char** argv) {
  using namespace gestalt::tools;
  TrainSettings settings;
  Tool tool("train_classifier",
            "Trains a classifier on class folders, with Top-K where you say, and evaluates it\n"
            "after each epoch on val and on other sets (stylized images, sketches ...).");
  add_training_flags(tool, settings);
  return tool.run(argc, argv, [&] {
    return settings.evaluate.empty() ? run_training(settings, tool.common())
                                     : run_evaluation(settings, tool.common());
  });
}
