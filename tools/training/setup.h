#pragma once

// The parts of a training, made from its settings.

#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "nn/module.h"
#include "optim/optimizer.h"
#include "tools/training/options.h"
#include "tools/training/step.h"

namespace gestalt::tools {

struct Sets {
  data::ImageSourcePtr train;      // null where --evaluate finds none: then val has the classes
  std::vector<std::string> names;  // of the evaluation sets, "val" first
  std::vector<data::ImageSourcePtr> evaluation;
  std::vector<std::string> passed_over;  // a line for each folder with files of foreign kinds

  const data::ImageSource& of_classes() const { return train ? *train : *evaluation.front(); }
};

// Throws Error where a folder is missing (but for train's, which --evaluate can do without), a
// class is empty (after the split too), train's classes and a set's differ, or no image of a set
// can be read.
Sets open_sets(const TrainSettings& settings);

struct ClassifierNetwork {
  std::shared_ptr<nn::Module> network;
  std::vector<std::string> description;  // lines for the log
};

// For the classes of `images`, with pretrained weights and Top-K layers. Writes nothing. Throws
// Error where the weights don't fit, or the network can't take images of this size.
ClassifierNetwork make_network(const TrainSettings& settings, const CommonOptions& common,
                               const data::ImageSource& images);

// Throws Error where the last batch of an epoch has one image, which the network can't train on:
// batch norm of a single pixel has no statistics. The network stays as it is.
void check_last_batch(nn::Module& network, const TrainSettings& settings, int64_t images);

std::unique_ptr<optim::Optimizer> make_optimizer(const TrainSettings& settings,
                                                 std::vector<Tensor> parameters);

// Throws Error for --capture on and a network with dropout.
ClassifierStepOptions step_options(const TrainSettings& settings, nn::Module& network);

// Dropout's streams are not those that the weights were drawn from.
inline uint64_t dropout_seed(uint64_t seed) {
  return seed ^ 0x64726F706F757400;
}

}  // namespace gestalt::tools
